from .accumulate import add_to_accumulator as add_to_accumulator
