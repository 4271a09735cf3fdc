"""Execute the opcodes of a pickle: they make plain values and call only allowed functions.

Python's unpickler imports, calls and sets attributes of everything that a file names. Here a name is looked
up in `allowed`, a call reaches the package's own functions, and a state becomes the fields of a
`StoredObject`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import torch

from segcube.importers.checkpoint import arrays
from segcube.importers.checkpoint.allowed import find_global
from segcube.importers.checkpoint.arrays import Storage
from segcube.importers.checkpoint.limits import CALL_STEPS, ENTRY_BYTES, MAX_INT, Budget, expect_plain_keys
from segcube.importers.checkpoint.objects import (
    Global,
    RefusedPickle,
    StoredObject,
    contents_of,
    kind_of,
    short_repr,
)

FindStorage = Callable[[str, torch.dtype, int], Storage]
"""Finds a storage by key, type and count; may raise RefusedPickle."""

OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
CONSTANTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = ("PROTO", "FRAME", "STOP")
STATE_PARTS = 5
"""Parts of the longest known state, that of an array."""
MAX_MESSAGE = 200
"""Letters of an error, which may quote the pickle."""
MARK = object()
DAMAGED = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""Errors of the methods below for a pickle that no pickler wrote."""


def run_pickle(
    source: IO[bytes],
    budget: Budget,
    find_storage: FindStorage | None = None,
    read_nested: Callable[[object], object] | None = None,
) -> Any:
    """Run the pickle at the position of `source`, which moves to the end of the pickle; return its value.

    find_storage: None for a pickle without storages. read_nested: reads a storage that is a whole file within
    the pickle. Raises RefusedPickle for a damaged
    pickle and for what is not allowed.
    """
    try:
        return _Machine(budget, find_storage, read_nested).run(source)
    except RefusedPickle:
        raise
    except DAMAGED as error:
        raise RefusedPickle(f"a damaged pickle: {type(error).__name__} {str(error)[:MAX_MESSAGE]}") from error


@dataclass
class _Machine:
    budget: Budget
    find_storage: FindStorage | None
    read_nested: Callable[[object], object] | None
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)

    def run(self, source: IO[bytes]) -> Any:
        name, stack = "", self.stack
        while name != "STOP":
            opcode = OPCODES.get(source.read(1))
            if opcode is None:
                raise RefusedPickle("a damaged pickle: it ends early, or has an unknown opcode")
            self.budget.count_steps()
            name, argument = opcode.name, opcode.arg.reader(source) if opcode.arg else None
            if name in CONSTANTS:
                stack.append(argument)
            elif name in VALUES:
                stack.append(VALUES[name])
            elif name in EMPTY:
                stack.append(EMPTY[name]())
            elif name in TUPLES:
                stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
            elif name not in IGNORED:
                self._run_stack(name, argument)
        if len(stack) != 1 or stack[0] is MARK:
            raise RefusedPickle("a damaged pickle: it leaves more or less than one value")
        return stack.pop()

    def _run_stack(self, name: str, argument: Any) -> None:
        """Run an opcode of the stack or the memo."""
        stack, memo = self.stack, self.memo
        match name:
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "MARK":
                stack.append(MARK)
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._pop_mark()
            case "DUP":
                stack.append(stack[-1])
            case _:
                self._run_container(name, argument)

    def _run_container(self, name: str, argument: Any) -> None:
        """Run an opcode that makes or fills a container."""
        stack = self.stack
        match name:
            case "TUPLE":
                stack.append(tuple(self._pop_mark()))
            case "LIST":
                stack.append(self._pop_mark())
            case "DICT":
                stack.append(self._entries(self._pop_mark()))
            case "FROZENSET":
                items = self._pop_mark()
                expect_plain_keys(items)
                stack.append(frozenset(items))
            case "APPEND" | "APPENDS":
                items = [stack.pop()] if name == "APPEND" else self._pop_mark()
                contents_of(stack[-1], list).extend(items)
            case "SETITEM" | "SETITEMS":
                pairs = [stack.pop(-2), stack.pop()] if name == "SETITEM" else self._pop_mark()
                contents_of(stack[-1], dict).update(self._entries(pairs))
            case "ADDITEMS":
                items = self._pop_mark()
                expect_plain_keys(items)
                contents_of(stack[-1], set).update(items)
            case _:
                self._run_call(name, argument)

    def _pop_mark(self) -> list[Any]:
        """Remove and return the values above the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                found = self.stack[place + 1 :]
                del self.stack[place:]
                return found
        raise RefusedPickle("a damaged pickle: no mark")

    def _entries(self, pairs: list[Any]) -> dict[Any, Any]:
        """Check the keys, which alternate with the values, before they are hashed."""
        for key in pairs[::2]:
            self.budget.count_key(key)
        return dict(zip(pairs[::2], pairs[1::2], strict=True))

    def _run_call(self, name: str, argument: Any) -> None:
        """Run an opcode that looks up a name, calls, sets a state or refers to a storage."""
        stack = self.stack
        match name:
            case "GLOBAL":
                stack.append(self._find(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                if not (isinstance(attribute, str) and isinstance(module, str)):
                    raise RefusedPickle("a pickle that names a class by a value that is not text")
                stack.append(self._find(module, attribute))
            case "REDUCE" | "NEWOBJ":
                arguments = stack.pop()
                self._call(stack.pop(), arguments)
            case "NEWOBJ_EX":
                keywords, arguments = stack.pop(), stack.pop()
                self._call(stack.pop(), arguments)
                if keywords:
                    self._set_state(keywords)
            case "OBJ":
                callee, *arguments = self._pop_mark()
                self._call(callee, tuple(arguments))
            case "INST":
                arguments = tuple(self._pop_mark())
                self._call(self._find(*argument.split(" ", 1)), arguments)
            case "BUILD":
                self._set_state(stack.pop())
            case "PERSID":
                stack.append(self._storage(argument))
            case "BINPERSID":
                stack.append(self._storage(stack.pop()))
            case _:
                raise RefusedPickle(f"a pickle with the opcode {name}")

    def _find(self, module: str, name: str) -> object:
        if (module, name) == ("torch.storage", "_load_from_bytes") and self.read_nested:
            return Global("torch.storage._load_from_bytes", self.read_nested)
        return find_global(module, name)

    def _call(self, callee: Any, arguments: Any) -> None:
        if not isinstance(callee, Global) or callee.call is None:
            raise RefusedPickle(f"a pickle that calls {kind_of(callee)}")
        if type(arguments) is not tuple:
            raise RefusedPickle(f"a pickle that calls {callee.name} without a tuple")
        self.budget.count_steps(CALL_STEPS)
        self.budget.count_bytes(ENTRY_BYTES * len(arguments))
        made = callee.call(*arguments)
        self.budget.count_copy(made)
        self.stack.append(made)

    def _set_state(self, state: Any) -> None:
        made = self.stack[-1]
        for part in state[:STATE_PARTS] if type(state) is tuple else (state,):
            self.budget.count_copy(part)
        if type(made) is StoredObject:
            made.set_state(state)
        elif type(made) is np.ndarray:
            arrays.set_state(made, state)
        elif isinstance(made, np.dtype):
            arrays.set_byte_order(made, state)
        elif type(made) is not dict:
            # The state of a dict is the _metadata that torch adds to a state_dict: it changes no weight
            raise RefusedPickle(f"a pickle that sets the state of a {kind_of(made)}")

    def _storage(self, identity: Any) -> Storage:
        """Find the storage of torch's ('storage', type, key, device, count[, view])."""
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise RefusedPickle(f"a pickle that refers to {short_repr(identity)}")
        _, dtype, key, _, count = identity[:5]
        known = isinstance(dtype, torch.dtype) and isinstance(key, str) and type(count) is int
        if not known or not 0 <= count < MAX_INT:
            message = f"a storage {short_repr(key)} of {short_repr(count)} numbers of {short_repr(dtype)}"
            raise RefusedPickle(message)
        if identity[5:] not in ((), (None,)):
            raise RefusedPickle(f"a storage {key} that is a view of another one")
        if self.find_storage is None:
            raise RefusedPickle(f"a storage {key} outside its file")
        if key not in self.storages:
            self.storages[key] = self.find_storage(key, dtype, count)
        found = self.storages[key]
        if found.values.dtype != dtype or len(found.values) != count:
            raise RefusedPickle(f"a storage {key} of two types or lengths")
        return found
