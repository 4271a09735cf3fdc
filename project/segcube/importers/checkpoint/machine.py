"""Execute the opcodes of a pickle: they make plain values and call only allowed functions.

Python's unpickler imports, calls and sets attributes of everything that a file names. Here a name is looked
up in `allowed`, a call reaches the package's own functions, and a state becomes the fields of a
`StoredObject`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any

import numpy as np
import torch

from segcube.importers.checkpoint import arrays
from segcube.importers.checkpoint.allowed import find_global
from segcube.importers.checkpoint.arrays import Storage
from segcube.importers.checkpoint.limits import (
    CALL_STEPS,
    ENTRY_BYTES,
    MAX_INT,
    Budget,
    expect_plain_keys,
)
from segcube.importers.checkpoint.objects import (
    Global,
    RefusedPickle,
    StoredObject,
    entries_of,
    items_of,
    kind_of,
    short_repr,
)

FindStorage = Callable[[str, torch.dtype, int], Storage]
"""Finds a storage by key, type and count; may raise RefusedPickle."""

OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
METHODS = {opcode.name: f"_do_{opcode.name.lower()}" for opcode in pickletools.opcodes}
CONSTANTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
NEW: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "EMPTY_TUPLE": tuple,
}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = ("PROTO", "FRAME", "STOP")
STATE_PARTS = 5
"""Parts of the longest known state, that of an array."""
MAX_MESSAGE = 200
"""Letters of an error, which may quote the pickle."""
MARK = object()
DAMAGED = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""Errors of the methods below for a pickle that no pickler wrote."""


def no_storages(key: str, dtype: torch.dtype, count: int) -> Storage:
    """Find no storage, for a pickle without any. Raises RefusedPickle."""
    del dtype, count
    raise RefusedPickle(f"a storage {key} outside its file")


def run_pickle(
    source: IO[bytes],
    budget: Budget,
    find_storage: FindStorage = no_storages,
    read_nested: Callable[[bytes], object] | None = None,
) -> Any:
    """Run the pickle at the position of `source`, which moves to the end of the pickle; return its value.

    read_nested: reads a storage that is a whole file within the pickle. Raises RefusedPickle for a damaged
    pickle and for what is not allowed.
    """
    try:
        return _Machine(budget, find_storage, read_nested).run(source)
    except RefusedPickle:
        raise
    except DAMAGED as error:
        raise RefusedPickle(f"a damaged pickle: {type(error).__name__} {str(error)[:MAX_MESSAGE]}") from error


class _Machine:
    def __init__(
        self, budget: Budget, find_storage: FindStorage, read_nested: Callable[[bytes], object] | None
    ) -> None:
        self.budget, self.find_storage, self.read_nested = budget, find_storage, read_nested
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

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
            elif name in NEW:
                stack.append(NEW[name]())
            elif name in TUPLES:
                stack[-TUPLES[name] :] = [tuple(stack[-TUPLES[name] :])]
            elif name not in IGNORED:
                method = getattr(self, METHODS[name], None)
                if method is None:
                    raise RefusedPickle(f"a pickle with the opcode {name}")
                method() if argument is None else method(argument)
        if len(stack) != 1 or stack[0] is MARK:
            raise RefusedPickle("a damaged pickle: it leaves more or less than one value")
        return stack.pop()

    # The stack and the memo

    def _do_mark(self) -> None:
        self.stack.append(MARK)

    def _do_pop(self) -> None:
        self.stack.pop()

    def _do_pop_mark(self) -> list[Any]:
        """Remove and return the values above the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                found = self.stack[place + 1 :]
                del self.stack[place:]
                return found
        raise RefusedPickle("a damaged pickle: no mark")

    def _do_dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _do_put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    _do_binput = _do_long_binput = _do_put

    def _do_memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _do_get(self, place: int) -> None:
        self.stack.append(self.memo[place])

    _do_binget = _do_long_binget = _do_get

    # Containers

    def _do_tuple(self) -> None:
        self.stack.append(tuple(self._do_pop_mark()))

    def _do_list(self) -> None:
        self.stack.append(self._do_pop_mark())

    def _do_dict(self) -> None:
        self.stack.append(self._pop_entries())

    def _pop_entries(self) -> dict[Any, Any]:
        entries = self._do_pop_mark()
        for key in entries[::2]:
            self.budget.count_key(key)
        return dict(zip(entries[::2], entries[1::2], strict=True))

    def _do_frozenset(self) -> None:
        items = self._do_pop_mark()
        expect_plain_keys(items)
        self.stack.append(frozenset(items))

    def _do_append(self) -> None:
        items_of(self.stack[-2]).append(self.stack[-1])
        self.stack.pop()

    def _do_appends(self) -> None:
        items = self._do_pop_mark()
        items_of(self.stack[-1]).extend(items)

    def _do_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.budget.count_key(key)
        entries_of(self.stack[-1])[key] = value

    def _do_setitems(self) -> None:
        entries = self._pop_entries()
        entries_of(self.stack[-1]).update(entries)

    def _do_additems(self) -> None:
        items = self._do_pop_mark()
        if type(self.stack[-1]) is not set:
            raise RefusedPickle(f"a pickle that adds items to a {kind_of(self.stack[-1])}")
        expect_plain_keys(items)
        self.stack[-1].update(items)

    # Names, calls and states

    def _do_global(self, names: str) -> None:
        self.stack.append(self._find(*names.split(" ", 1)))

    def _do_stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise RefusedPickle("a pickle that names a class by a value that is not text")
        self.stack.append(self._find(module, name))

    def _find(self, module: str, name: str) -> object:
        if (module, name) == ("torch.storage", "_load_from_bytes") and self.read_nested:
            return Global("torch.storage._load_from_bytes", self._load_nested)
        return find_global(module, name)

    def _load_nested(self, data: object) -> object:
        if not isinstance(data, bytes) or self.read_nested is None:
            raise RefusedPickle("a storage without bytes")
        self.budget.count_bytes(len(data))
        return self.read_nested(data)

    def _do_reduce(self) -> None:
        arguments = self.stack.pop()
        self._call(self.stack.pop(), arguments)

    _do_newobj = _do_reduce

    def _do_newobj_ex(self) -> None:
        keywords, arguments = self.stack.pop(), self.stack.pop()
        self._call(self.stack.pop(), arguments)
        if keywords:
            self._set_state(keywords)

    def _do_obj(self) -> None:
        callee, *arguments = self._do_pop_mark()
        self._call(callee, tuple(arguments))

    def _do_inst(self, names: str) -> None:
        arguments = tuple(self._do_pop_mark())
        self._call(self._find(*names.split(" ", 1)), arguments)

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

    def _do_build(self) -> None:
        self._set_state(self.stack.pop())

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

    # Storages of tensors

    def _do_persid(self, identity: object) -> None:
        self.stack.append(self._storage(identity))

    def _do_binpersid(self) -> None:
        self.stack.append(self._storage(self.stack.pop()))

    def _storage(self, identity: Any) -> Storage:
        """Find the storage of torch's ('storage', type, key, device, count[, view])."""
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise RefusedPickle(f"a pickle that refers to {short_repr(identity)}")
        _, dtype, key, _, count = identity[:5]
        known = isinstance(dtype, torch.dtype) and isinstance(key, str) and type(count) is int
        if not known or not 0 <= count < MAX_INT:
            raise RefusedPickle(
                f"a storage {short_repr(key)} of {short_repr(count)} numbers of {short_repr(dtype)}"
            )
        if identity[5:] not in ((), (None,)):
            raise RefusedPickle(f"a storage {key} that is a view of another one")
        if key not in self.storages:
            self.storages[key] = self.find_storage(key, dtype, count)
        found = self.storages[key]
        if found.values.dtype != dtype or len(found.values) != count:
            raise RefusedPickle(f"a storage {key} of two types or lengths")
        return found
