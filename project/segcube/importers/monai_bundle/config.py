"""A bundle's lists of transforms, step by step, with strict arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault, read_json, read_yaml

ENDINGS = (".json", ".yaml", ".yml")
DEPTH = 50
"""References and levels that a value may go through; more than that is a circle."""
PARTS = 100_000


@dataclass
class Config:
    """A configuration file."""

    content: Mapping[str, Any]
    file: Path
    left: int = PARTS
    """Parts that may still be gone through: references to references make a few lines endless."""

    def shallow(self, value: Any, place: str) -> Any:
        """A value whose own reference is followed, and those within it left.

        Raises EnvironmentFault for an expression, or a reference to nothing.
        """
        for _ in range(DEPTH):
            if not isinstance(value, str) or value[:1] not in ("@", "%", "$"):
                return value
            if value.startswith("$"):
                raise self.fault(f"{place} is the expression {value!r}, which is not run", "a plain value")
            value = self._referred(value, place)
        raise self.fault(f"{place} refers to itself", "a plain value")

    def resolve(self, value: Any, place: str, depth: int = 0) -> Any:
        """A value with all references within it followed. Raises EnvironmentFault as `shallow` does."""
        self.left -= 1
        if self.left < 0:
            raise self.fault(f"refers to more than {PARTS} parts", "plain values")
        if depth > DEPTH:
            raise self.fault(f"{place} refers to itself", "a plain value")
        value = self.shallow(value, place)
        if isinstance(value, dict):
            return {key: self.resolve(part, f"{place}::{key}", depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            return [self.resolve(part, f"{place}::{i}", depth + 1) for i, part in enumerate(value)]
        return value

    def fault(self, found: str, expected: str = "", hint: str = "") -> EnvironmentFault:
        """What is wrong with this file."""
        return EnvironmentFault(found, file=self.file, expected=expected, hint=hint)

    def _referred(self, reference: str, place: str) -> Any:
        value: Any = self.content
        for part in reference[1:].replace("#", "::").split("::"):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                found = f"{place} refers to {reference}, which is not there"
                raise self.fault(found, "a key of this file") from error
        return value


def read_config(folder: Path, name: str) -> Config:
    """Read configs/`name` as JSON or YAML. Raises EnvironmentFault when there is none or it is broken."""
    files = [folder / "configs" / f"{name}{ending}" for ending in ENDINGS]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise EnvironmentFault("no such file", file=files[0], expected="the folder of a MONAI bundle")
    read = read_json if file.suffix == ".json" else read_yaml
    content = read(file, EnvironmentFault)
    if not isinstance(content, dict):
        raise EnvironmentFault(f"holds a {type(content).__name__}", file=file, expected="a mapping")
    return Config(content, file)


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
