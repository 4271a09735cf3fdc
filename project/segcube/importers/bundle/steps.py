"""A bundle's lists of transforms, step by step, with strict arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segcube.importers.bundle.config import Config

KEYS = ("keys", "allow_missing_keys")
"""What every transform of a dictionary has; which image it is about, nobody needs to know."""


@dataclass(frozen=True)
class Step:
    """A transform: its class and the arguments that are not about which image it takes."""

    name: str
    arguments: Mapping[str, Any]
    config: Config
    place: str

    def only(self, **known: Any) -> dict[str, Any]:
        """The values of some arguments, references followed; `known` names them with their defaults.

        Raises EnvironmentFault for another argument, which might change the result, and for expressions.
        """
        self.expect(self.arguments.keys() <= known.keys(), f"no arguments but {', '.join(known) or 'keys'}")
        return {
            name: self.config.resolve(self.arguments.get(name, default), f"{self.place}::{name}")
            for name, default in known.items()
        }

    def expect(self, sound: bool, expected: str) -> None:
        """Raise EnvironmentFault that names this transform unless it is sound."""
        if not sound:
            told = ", ".join(f"{name} {value!r}" for name, value in self.arguments.items())
            raise self.config.fault(f"{self.place} is {self.name} with {told or 'no arguments'}", expected)

    def refuse(self, expected: str) -> None:
        """Raise EnvironmentFault that names this transform as one that segcube does not have."""
        raise self.config.fault(f"{self.place} is {self.name}, which segcube does not have", expected)


def steps_of(config: Config, key: str) -> list[Step]:
    """The transforms of a Compose, or one alone; none when the key is not there.

    Classes come without their module and the d of dictionaries. Raises EnvironmentFault for what is no list
    of classes.
    """
    if key not in config.content:
        return []
    content = config.shallow(config.content[key], key)
    if isinstance(content, dict) and _class_of(content) == "Compose":
        key = f"{key}::transforms"
        content = config.shallow(content.get("transforms", []), key)
    parts = content if isinstance(content, list) else [content]
    found = [_step(part, config, f"{key}::{index}") for index, part in enumerate(parts)]
    return [step for step in found if step is not None]


def _step(part: Any, config: Config, place: str) -> Step | None:
    part = config.shallow(part, place)
    if not isinstance(part, dict) or "_target_" not in part:
        raise config.fault(f"{place} is {part!r}", "a transform with a _target_")
    if config.shallow(part.get("_disabled_", False), f"{place}::_disabled_") in (True, "true", "True"):
        return None
    arguments = {name: value for name, value in part.items() if name not in KEYS and name[:1] != "_"}
    name = _class_of(part)
    for ending in ("Dict", "D", "d"):
        if name.endswith(ending) and name not in ("Dict",):
            name = name.removesuffix(ending)
            break
    return Step(name, arguments, config, place)


def _class_of(content: Mapping[str, Any]) -> str:
    return str(content.get("_target_", "")).rpartition(".")[2]
