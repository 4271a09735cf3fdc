"""Replacements for the classes and objects of other packages: plain fields, no code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from reprlib import Repr
from typing import Any

from segcube.core import EnvironmentFault

_SHORT = Repr()
_SHORT.maxlevel = 2
short_repr = _SHORT.repr
"""Shorten the repr of a value of any size."""
MAX_LEVELS = 100
"""Levels of nested containers in a checkpoint and its settings."""


class RefusedPickle(Exception):
    """A pickle is damaged or holds something that is not allowed; the message leaves out the file."""


@dataclass(frozen=True)
class Global:
    """A class or function that a pickle refers to by name."""

    name: str
    call: Callable[..., object] | None = None
    """The package's own function for calls of it; None if it must not be called."""
    is_stored_class: bool = False
    """Whether calls give a `StoredObject`."""


@dataclass(eq=False)
class StoredObject:
    """An object of an allowed class of another package, as the pickle stores it."""

    name: str
    """The class, with its module."""
    arguments: tuple[Any, ...] = field(default=(), repr=False)
    """What the class was called with."""
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    """Its `__dict__`, or what its `__getstate__` returned."""
    entries: dict[Any, Any] = field(default_factory=dict, repr=False)
    """Those of a subclass of dict."""
    items: list[Any] = field(default_factory=list, repr=False)
    """Those of a subclass of list."""

    def set_state(self, state: Any) -> None:
        """Keep a dict, or a pair of dict and slots, as fields, and any other state as the field `state`."""
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
        for part in parts:
            if isinstance(part, Mapping) and all(isinstance(key, str) for key in part):
                self.fields.update(part)
            elif part is not None:
                self.fields["state"] = state


def stored_class(name: str) -> Global:
    """A class whose calls give a `StoredObject`."""
    return Global(name, lambda *arguments: StoredObject(name, arguments), is_stored_class=True)


def contents_of(value: Any, kind: type[Any]) -> Any:
    """The list, dict or set that a pickle may add to. Raises RefusedPickle for other values."""
    if type(value) is StoredObject and kind is not set:
        return value.items if kind is list else value.entries
    if type(value) is not kind:
        raise RefusedPickle(f"a pickle that adds to a {kind_of(value)} as to a {kind.__name__}")
    return value


def kind_of(value: object) -> str:
    """The class of a value for errors, or the name of a `Global`."""
    return value.name if isinstance(value, Global) else type(value).__name__


def plain(value: Any) -> Any:
    """Convert settings: Namespace, AttributeDict and OmegaConf to dicts and lists, paths to text.

    Arrays, tensors and other stored objects stay. Raises EnvironmentFault beyond MAX_LEVELS.
    """
    return _plain(value, {}, 0)


def _plain(value: Any, seen: dict[int, Any], level: int) -> Any:
    """seen: results by id, so that shared parts stay shared and cannot grow without limit."""
    if id(value) in seen:
        return seen[id(value)]
    if level > MAX_LEVELS:
        raise EnvironmentFault(f"settings of more than {MAX_LEVELS} levels")

    def inner(part: Any) -> Any:
        return _plain(part, seen, level + 1)

    found = value
    if isinstance(value, StoredObject):
        content = _content_of(value)
        found = value if content is value else inner(content)
    elif isinstance(value, dict):
        found = {str(key) if isinstance(key, PurePath) else key: inner(entry) for key, entry in value.items()}
    elif isinstance(value, list | tuple):
        found = type(value)(inner(entry) for entry in value)
    elif isinstance(value, PurePath):
        found = str(value)
    return seen.setdefault(id(value), found)


def _content_of(value: StoredObject) -> Any:
    module, _, name = value.name.rpartition(".")
    if module.startswith("omegaconf."):
        # Containers hold nodes and nodes hold values; both refer to their parent, which is not needed
        return value.fields.get("_content", value.fields.get("_val", value))
    if name in ("Namespace", "SimpleNamespace"):
        return value.fields
    if name == "AttributeDict":
        return value.entries
    return value
