"""What stands for the classes of other people's code: their fields, and nothing that runs."""

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
"""A value in a few words, however many parts it has."""
DEPTH = 100
"""Levels that a tree of settings may have; a deeper one is no tree, or not settings."""


class RefusedPickle(Exception):
    """A pickle holds what is not on the list, or is damaged; said without its file."""


@dataclass(frozen=True)
class Named:
    """A class or function that a file names; `make` is our own code that stands for a call of it."""

    name: str
    make: Callable[..., object] | None = None


@dataclass(eq=False)
class Inert:
    """An object of a listed foreign class: what it was called with, its fields and its entries.

    fields: what its `__dict__` or `__getstate__` held. entries, items: those of a dict or a list.
    """

    name: str
    """The class, with its module."""
    arguments: tuple[Any, ...] = field(default=(), repr=False)
    fields: dict[str, Any] = field(default_factory=dict, repr=False)
    entries: dict[Any, Any] = field(default_factory=dict, repr=False)
    items: list[Any] = field(default_factory=list, repr=False)

    def take_state(self, state: Any) -> None:
        """Keep a state as fields: a dict, a dict and the slots' dict, or anything else under `state`."""
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
        for part in parts:
            if isinstance(part, Mapping) and all(isinstance(key, str) for key in part):
                self.fields.update(part)
            elif part is not None:
                self.fields["state"] = state


@dataclass(frozen=True)
class StandIn:
    """Makes stand-ins of one class."""

    name: str

    def __call__(self, *arguments: Any) -> Inert:
        """Keep what the class was called with."""
        return Inert(self.name, arguments)


def items_of(value: Any) -> list[Any]:
    """The list that a pickle may append to. Raises RefusedPickle."""
    if type(value) is Inert:
        return value.items
    if type(value) is not list:
        raise RefusedPickle(f"a pickle that appends to a {kind_of(value)}")
    return value


def entries_of(value: Any) -> dict[Any, Any]:
    """The dict that a pickle may fill. Raises RefusedPickle."""
    if type(value) is Inert:
        return value.entries
    if type(value) is not dict:
        raise RefusedPickle(f"a pickle that sets entries of a {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """The class of a value, or the name that it stands for."""
    return value.name if isinstance(value, Named) else type(value).__name__


def plain(value: Any) -> Any:
    """Settings without stand-ins: Namespace, AttributeDict and OmegaConf as dicts and lists, paths as text.

    Arrays, tensors and stand-ins of other classes come back as they are. Raises EnvironmentFault when the
    levels do not end.
    """
    return _plain(value, {}, 0)


def _plain(value: Any, seen: dict[int, Any], depth: int) -> Any:
    """`seen` keeps shared parts shared: a few bytes can hold a tree that would fill any memory."""
    if id(value) in seen:
        return seen[id(value)]
    if depth > DEPTH:
        raise EnvironmentFault(f"settings of more than {DEPTH} levels")

    def inside(part: Any) -> Any:
        return _plain(part, seen, depth + 1)

    found = value
    if isinstance(value, Inert):
        inner = _unwrapped(value)
        found = value if inner is value else inside(inner)
    elif isinstance(value, dict):
        found = {
            str(key) if isinstance(key, PurePath) else key: inside(entry) for key, entry in value.items()
        }
    elif isinstance(value, list | tuple):
        found = type(value)(inside(entry) for entry in value)
    elif isinstance(value, PurePath):
        found = str(value)
    return seen.setdefault(id(value), found)


def _unwrapped(value: Inert) -> Any:
    module, _, name = value.name.rpartition(".")
    if module.startswith("omegaconf."):
        # Containers hold nodes, nodes hold values; both point back at their parent, which no tree needs
        return value.fields.get("_content", value.fields.get("_val", value))
    if name in ("Namespace", "SimpleNamespace"):
        return value.fields
    if name == "AttributeDict":
        return value.entries
    return value
