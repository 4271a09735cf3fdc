"""Read torch checkpoints and pickles as data; no code in them is run.

Python's own `pickle.Unpickler`, even with a restricted `find_class`, hashes hostile keys and allocates far
memo places before `find_class` is called: a few bytes can stop it for years or fill the memory. Therefore
`machine` executes the opcodes itself: `allowed` lists the names of a pickle, `limits` bounds its work,
`arrays` makes tensors and arrays, `objects` replaces objects of other packages, and `reader` opens the file.
"""
