"""Limits on the work of a pickle: steps, copied bytes, keys, and the size of the tree that it makes.

A few bytes of a pickle can build a tuple of two references to a tuple of two references, and so on. Each
function that follows the references, to hash, compare or print the value, visits 2 ** depth parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from segcube.importers.checkpoint.objects import MAX_LEVELS, Global, RefusedPickle, StoredObject

MAX_STEPS = 750_000
"""Opcodes of a file: a network of 500 tensors takes 40,000, the plans of thousands of cases 400,000."""
CALL_STEPS = 5
"""Steps of a call in addition to its opcode: making a tensor takes as long as 20 numbers."""
SPARE_BYTES = 32 << 20
COPIES = 16
"""Bytes that calls may copy for each byte of the file, in addition to SPARE_BYTES."""
ENTRY_BYTES = 64
"""Bytes of an entry of a container."""
MAX_TUPLE_KEYS = 1000
"""Tuples as keys: a file can choose their numbers so that all hashes are equal."""
MAX_KEY_LENGTH = 16
MAX_INT = 1 << 63
"""Integers from here on may have any length and, as keys, equal hashes."""
MAX_PARTS = 5_000_000
"""Parts of a tree, where shared parts count at each place; 16 letters count as one part."""
LETTERS = 16
PLAIN_KEYS = (
    *(str, bytes, bool, type(None), float, np.floating, np.integer, np.bool_, np.str_, np.bytes_),
    *(PurePath, StoredObject, Global, torch.dtype),
)
CONTAINERS = list | tuple | dict | set | frozenset


@dataclass
class Budget:
    """The steps, copied bytes and tuple keys that remain for all pickles of one file.

    The methods raise RefusedPickle when nothing remains.
    """

    size: int
    """Bytes of the file."""
    steps: int = MAX_STEPS
    tuple_keys: int = MAX_TUPLE_KEYS
    bytes_left: int = field(init=False)

    def __post_init__(self) -> None:
        self.bytes_left = SPARE_BYTES + COPIES * self.size

    def count_steps(self, count: int = 1) -> None:
        """Count opcodes."""
        self.steps -= count
        if self.steps < 0:
            raise RefusedPickle(f"a pickle of more than {MAX_STEPS} steps")

    def count_bytes(self, count: int) -> None:
        """Count bytes that are copied."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise RefusedPickle("a pickle that copies its own parts again and again")

    def count_copy(self, value: object) -> None:
        """Count the bytes of a copied value."""
        if isinstance(value, str | bytes | bytearray):
            self.count_bytes(len(value))
        elif isinstance(value, np.ndarray):
            self.count_bytes(value.nbytes)
        elif isinstance(value, CONTAINERS):
            self.count_bytes(ENTRY_BYTES * len(value))

    def count_key(self, key: object) -> None:
        """Check the key of a dict before it is hashed."""
        if isinstance(key, tuple):
            self.tuple_keys -= 1
            if self.tuple_keys < 0 or len(key) > MAX_KEY_LENGTH or not all(map(is_plain_key, key)):
                found = f"a pickle with more than {MAX_TUPLE_KEYS} tuples as keys, or longer ones"
                raise RefusedPickle(found)
        elif not is_plain_key(key):
            raise RefusedPickle(f"a pickle with a {type(key).__name__} as a key")


def is_plain_key(key: object) -> bool:
    """Whether hashing a value is fast and its hash cannot be chosen by the file."""
    if type(key) is int:
        return -MAX_INT < key < MAX_INT
    return isinstance(key, PLAIN_KEYS)


def expect_plain_keys(keys: Iterable[object]) -> None:
    """Check the elements of a set. Raises RefusedPickle."""
    for key in keys:
        if not is_plain_key(key):
            raise RefusedPickle(f"a pickle with a {type(key).__name__} in a set or as a key")


def check_tree(tree: object) -> None:
    """Check that a recursive walk through a tree ends soon.

    Raises RefusedPickle for more than MAX_PARTS parts, more than MAX_LEVELS levels, and plain containers that
    contain themselves. Only a `StoredObject` may refer back to its container.
    """
    _measure(tree, {}, [])


def _measure(value: Any, known: dict[int, tuple[int, int]], path: list[object]) -> tuple[int, int]:
    """Count parts and levels; known: those of complete containers by id. path: the open containers."""
    if id(value) in known:
        return known[id(value)]
    for place, container in enumerate(path):
        if container is value:
            if not any(isinstance(part, StoredObject) for part in path[place:]):
                raise RefusedPickle("a container that contains itself")
            return 0, 0
    path.append(value)
    _expect_small(0, len(path))
    parts, levels = 1, 1
    for child in _children(value):
        if isinstance(child, CONTAINERS | StoredObject | np.ndarray):
            inner_parts, inner_levels = _measure(child, known, path)
            parts, levels = parts + inner_parts, max(levels, inner_levels + 1)
        else:
            parts += _letters(child)
        _expect_small(parts, levels)
    path.pop()
    known[id(value)] = parts, levels
    return parts, levels


def _expect_small(parts: int, levels: int) -> None:
    if parts > MAX_PARTS or levels > MAX_LEVELS:
        raise RefusedPickle(f"a tree of more than {MAX_PARTS} parts or {MAX_LEVELS} levels")


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield entry
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif isinstance(value, StoredObject):
        yield from (value.arguments, value.fields, value.entries, value.items)
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        yield from value.flat


def _letters(value: object) -> int:
    if isinstance(value, str | bytes | bytearray):
        return 1 + len(value) // LETTERS
    if type(value) is int:
        return 1 + value.bit_length() // (8 * LETTERS)
    return 1
