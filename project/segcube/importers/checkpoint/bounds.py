"""What a pickle may ask for: a few bytes of it could keep a reader busy for years, or fill any memory.

Shared parts are the reason: each step makes a value of two references to the one before, so that whoever
follows them, to hash, compare or print a value, follows 2 to the power of the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from segcube.importers.checkpoint.inert import DEPTH, Inert, Named, RefusedPickle

STEPS = 750_000
"""Opcodes of a file: a network of 500 tensors takes 40,000, the plans of thousands of cases 400,000."""
CALL_STEPS = 5
"""Steps that a call counts as, beside its own: a tensor takes as long as 20 numbers."""
SPARE_BYTES = 32 << 20
COPIES = 16
"""Bytes that a file's calls may copy, for each byte of its pickle, beside the spare ones."""
PER_PART = 64
"""Bytes that an entry of a container takes."""
TUPLE_KEYS = 1000
"""Tuples that may be keys: whoever chooses their numbers can make all of their hashes equal."""
LONGEST_KEY = 16
LARGEST = 1 << 63
"""Numbers from here on may be of any length; as keys, they also share hashes."""
PARTS = 5_000_000
"""Parts of a tree when each of its shared parts counts wherever it appears; 16 letters count as one."""
LETTERS = 16
PLAIN_KEYS = (
    *(str, bytes, bool, type(None), float, np.floating, np.integer, np.bool_, np.str_, np.bytes_),
    *(PurePath, Inert, Named, torch.dtype),
)


@dataclass
class Budget:
    """What is left of a file's steps, copies and tuples as keys; all its pickles share one."""

    size: int
    """Bytes of the pickle."""
    steps: int = STEPS
    tuple_keys: int = TUPLE_KEYS
    copies: int = field(init=False)

    def __post_init__(self) -> None:
        self.copies = SPARE_BYTES + COPIES * self.size

    def take_step(self, count: int = 1) -> None:
        """Count opcodes. Raises RefusedPickle for one too many."""
        self.steps -= count
        if self.steps < 0:
            raise RefusedPickle(f"a pickle of more than {STEPS} steps")

    def take_call(self, arguments: tuple[object, ...]) -> None:
        """Count a call and its arguments. Raises RefusedPickle for too many."""
        self.take_step(CALL_STEPS)
        self.take_bytes(PER_PART * len(arguments))

    def take_copy(self, value: object) -> None:
        """Count the bytes of a value that a call made. Raises RefusedPickle for too many."""
        self.take_bytes(_bytes_of(value))

    def take_bytes(self, count: int) -> None:
        """Count bytes that are copied. Raises RefusedPickle for too many."""
        self.copies -= count
        if self.copies < 0:
            raise RefusedPickle("a pickle that copies its own parts without end")

    def take_key(self, key: object) -> None:
        """Check a dict's key before it is hashed. Raises RefusedPickle."""
        if isinstance(key, tuple):
            self.tuple_keys -= 1
            sound = self.tuple_keys >= 0 and len(key) <= LONGEST_KEY and all(map(is_plain_key, key))
            if not sound:
                raise RefusedPickle(f"a pickle with more than {TUPLE_KEYS} tuples as keys, or longer ones")
        elif not is_plain_key(key):
            raise RefusedPickle(f"a pickle with a {type(key).__name__} as a key")


def is_plain_key(key: object) -> bool:
    """Whether a value is hashed in a short time, and to a hash that its writer cannot choose."""
    if type(key) is int:
        return -LARGEST < key < LARGEST
    return isinstance(key, PLAIN_KEYS)


def expect_plain_keys(keys: Iterable[object]) -> None:
    """Check the elements of a set. Raises RefusedPickle."""
    for key in keys:
        if not is_plain_key(key):
            raise RefusedPickle(f"a pickle with a {type(key).__name__} in a set or as a key")


def check_tree(tree: object) -> None:
    """Check that whoever follows a tree's parts, each as often as it appears, comes to an end soon.

    Raises RefusedPickle for more than PARTS parts, more than DEPTH levels, and plain containers that hold
    themselves. Objects of foreign classes may point back at what holds them.
    """
    known: dict[int, tuple[int, int]] = {}
    path = [_Node(tree)]
    while path:
        node = path[-1]
        for child in node.rest:
            if not isinstance(child, list | tuple | dict | set | frozenset | Inert | np.ndarray):
                node.parts += _letters(child)
            elif id(child) in known:
                node.add(*known[id(child)])
            elif not _is_open(child, path):
                path.append(_Node(child))
                break
            if node.parts > PARTS:
                break
        else:
            path.pop()
            known[id(node.value)] = node.parts, node.levels
            if path:
                path[-1].add(node.parts, node.levels)
        if node.parts > PARTS or node.levels > DEPTH or len(path) > DEPTH:
            raise RefusedPickle(f"a tree of more than {PARTS} parts or {DEPTH} levels")


class _Node:
    """A part of a tree that is being counted."""

    def __init__(self, value: object) -> None:
        self.value, self.rest = value, _children(value)
        self.parts, self.levels = 1, 1

    def add(self, parts: int, levels: int) -> None:
        self.parts += parts
        self.levels = max(self.levels, levels + 1)


def _is_open(child: object, path: list[_Node]) -> bool:
    """Whether a part is one of those that hold it. Raises RefusedPickle for a circle of plain containers."""
    places = [index for index, node in enumerate(path) if node.value is child]
    if places and not any(isinstance(node.value, Inert) for node in path[places[0] :]):
        raise RefusedPickle("a container that holds itself")
    return bool(places)


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield key
            yield entry
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif isinstance(value, Inert):
        yield from (value.arguments, value.fields, value.entries, value.items)
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        yield from value.flat


def _letters(value: object) -> int:
    if isinstance(value, str | bytes | bytearray):
        return 1 + len(value) // LETTERS
    if type(value) is int:
        return 1 + value.bit_length() // (8 * LETTERS)
    return 1


def _bytes_of(value: object) -> int:
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, list | tuple | dict | set | frozenset):
        return PER_PART * len(value)
    return 0
