"""A pickle's opcodes on a stack of our own: they make plain values and stand-ins, and call nothing else.

Python's unpickler calls, imports and sets attributes of whatever a file names. Here a name is looked up in a
table of our own, a call reaches our own functions alone, and a state lands in the fields of a stand-in.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any, cast

import numpy as np

from segcube.importers.checkpoint import arrays
from segcube.importers.checkpoint.bounds import expect_plain_keys
from segcube.importers.checkpoint.inert import Inert, Named, RefusedPickle, entries_of, items_of, kind_of
from segcube.importers.checkpoint.world import FileWorld

LINE = 256


class Cursor:
    """A file of bytes in memory; it asks for no more memory than there are bytes, whatever a file claims."""

    def __init__(self, data: memoryview, at: int = 0) -> None:
        self.data, self.at = data, at

    def read(self, count: int = -1) -> bytes:
        """The next bytes, fewer at the end."""
        end = len(self.data) if count < 0 else min(self.at + count, len(self.data))
        found = bytes(self.data[self.at : end])
        self.at = end
        return found

    def readline(self) -> bytes:
        """The next bytes up to a line's end, that included."""
        length = LINE
        while True:
            chunk = bytes(self.data[self.at : self.at + length])
            if b"\n" in chunk or len(chunk) < length:
                line = chunk[: chunk.index(b"\n") + 1] if b"\n" in chunk else chunk
                self.at += len(line)
                return line
            length *= 4

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place from the start, from here or from the end."""
        self.at = max((0, self.at, len(self.data))[whence] + offset, 0)
        return self.at

    def tell(self) -> int:
        """The place, from the start."""
        return self.at


OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
STEPS_OF = {opcode.name: f"_do_{opcode.name.lower()}" for opcode in pickletools.opcodes}
CONSTANTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
FRESH: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
    "EMPTY_TUPLE": tuple,
}
SKIPPED = ("PROTO", "FRAME", "STOP")
STATE = 5
"""Parts of the longest state that is known, that of an array."""
LONGEST = 200
"""Letters of an error's own words, which may quote the pickle."""
MARK = object()
BROKEN = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What our own steps raise for a pickle that no pickler wrote."""


def run_pickle(cursor: Cursor, world: FileWorld) -> Any:
    """Run the pickle at the cursor and leave the cursor behind it.

    Raises RefusedPickle for what is not on the lists and for a damaged pickle.
    """
    try:
        return _Machine(world).run(cursor)
    except RefusedPickle:
        raise
    except BROKEN as error:
        raise RefusedPickle(f"a damaged pickle: {type(error).__name__} {str(error)[:LONGEST]}") from error


class _Machine:
    def __init__(self, world: FileWorld) -> None:
        self.world, self.budget = world, world.budget
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, cursor: Cursor) -> Any:
        source = cast("IO[bytes]", cursor)
        name = ""
        while name != "STOP":
            opcode = OPCODES.get(cursor.read(1))
            if opcode is None:
                raise RefusedPickle("a damaged pickle: it ends early, or has an unknown opcode")
            self.budget.take_step()
            name, argument = opcode.name, opcode.arg.reader(source) if opcode.arg else None
            if name in CONSTANTS:
                self.stack.append(argument)
            elif name in FRESH:
                self.stack.append(FRESH[name]())
            elif name not in SKIPPED:
                self._step(name, argument)
        if len(self.stack) != 1 or self.stack[0] is MARK:
            raise RefusedPickle("a damaged pickle: it leaves more or less than one value")
        return self.stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        step = getattr(self, STEPS_OF[name], None)
        if step is None:
            raise RefusedPickle(f"a pickle with the opcode {name}")
        step() if argument is None else step(argument)

    def _marked(self) -> list[Any]:
        """What was pushed since the last mark, which goes too."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                found = self.stack[place + 1 :]
                del self.stack[place:]
                return found
        raise RefusedPickle("a damaged pickle: no mark")

    def _do_mark(self) -> None:
        self.stack.append(MARK)

    def _do_pop(self) -> None:
        self.stack.pop()

    def _do_pop_mark(self) -> None:
        self._marked()

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

    def _do_tuple(self) -> None:
        self.stack.append(tuple(self._marked()))

    def _do_tuple1(self) -> None:
        self.stack[-1:] = [tuple(self.stack[-1:])]

    def _do_tuple2(self) -> None:
        self.stack[-2:] = [tuple(self.stack[-2:])]

    def _do_tuple3(self) -> None:
        self.stack[-3:] = [tuple(self.stack[-3:])]

    def _do_list(self) -> None:
        self.stack.append(self._marked())

    def _do_dict(self) -> None:
        self.stack.append(self._entries())

    def _entries(self) -> dict[Any, Any]:
        """The keys and values since the last mark."""
        entries = self._marked()
        for key in entries[::2]:
            self.budget.take_key(key)
        return dict(zip(entries[::2], entries[1::2], strict=True))

    def _do_frozenset(self) -> None:
        items = self._marked()
        expect_plain_keys(items)
        self.stack.append(frozenset(items))

    def _do_append(self) -> None:
        items_of(self.stack[-2]).append(self.stack[-1])
        self.stack.pop()

    def _do_appends(self) -> None:
        items = self._marked()
        items_of(self.stack[-1]).extend(items)

    def _do_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.budget.take_key(key)
        entries_of(self.stack[-1])[key] = value

    def _do_setitems(self) -> None:
        entries = self._entries()
        entries_of(self.stack[-1]).update(entries)

    def _do_additems(self) -> None:
        items = self._marked()
        if type(self.stack[-1]) is not set:
            raise RefusedPickle("a pickle that adds items to what is no set")
        expect_plain_keys(items)
        self.stack[-1].update(items)

    def _do_global(self, names: str) -> None:
        module, name = names.split(" ", 1)
        self.stack.append(self.world.named(module, name))

    def _do_stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise RefusedPickle("a pickle that names a class with what is no text")
        self.stack.append(self.world.named(module, name))

    def _do_reduce(self) -> None:
        arguments = self.stack.pop()
        self._call(self.stack.pop(), arguments)

    _do_newobj = _do_reduce

    def _do_newobj_ex(self) -> None:
        keywords, arguments = self.stack.pop(), self.stack.pop()
        self._call(self.stack.pop(), arguments)
        if keywords:
            self._do_build_with(keywords)

    def _do_obj(self) -> None:
        callee, *arguments = self._marked()
        self._call(callee, tuple(arguments))

    def _do_inst(self, names: str) -> None:
        arguments = tuple(self._marked())
        module, name = names.split(" ", 1)
        self._call(self.world.named(module, name), arguments)

    def _call(self, callee: Any, arguments: Any) -> None:
        if not isinstance(callee, Named) or callee.make is None:
            raise RefusedPickle(f"a pickle that calls {kind_of(callee)}")
        if type(arguments) is not tuple:
            raise RefusedPickle(f"a pickle that calls {callee.name} with no tuple")
        self.budget.take_call(arguments)
        made = callee.make(*arguments)
        self.budget.take_copy(made)
        self.stack.append(made)

    def _do_build(self) -> None:
        self._do_build_with(self.stack.pop())

    def _do_build_with(self, state: Any) -> None:
        made = self.stack[-1]
        for part in state[:STATE] if type(state) is tuple else (state,):
            self.budget.take_copy(part)
        if type(made) is Inert:
            made.take_state(state)
        elif type(made) is np.ndarray:
            arrays.set_state(made, state)
        elif isinstance(made, np.dtype):
            arrays.set_byte_order(made, state)
        elif type(made) is not dict:
            # A dict's state is what torch hangs on a state_dict (_metadata): it changes no weight
            raise RefusedPickle(f"a pickle that sets the state of a {kind_of(made)}")

    def _do_persid(self, identity: object) -> None:
        self.stack.append(self.world.stored(identity))

    def _do_binpersid(self) -> None:
        self.stack.append(self.world.stored(self.stack.pop()))
