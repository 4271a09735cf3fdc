"""Read a bundle's configuration: plain references are followed, expressions are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcube.core import EnvironmentFault, read_json, read_yaml

SUFFIXES = (".json", ".yaml", ".yml")
MAX_DEPTH = 50
"""References and levels within a value; more are a cycle."""
MAX_PARTS = 100_000


@dataclass
class Config:
    """A configuration file."""

    content: Mapping[str, Any]
    file: Path
    parts_left: int = MAX_PARTS
    """Parts that may still be resolved: references to references could multiply without end."""

    def shallow(self, value: Any, place: str) -> Any:
        """Follow the reference of a value, but not those within it.

        Raises EnvironmentFault for an expression and a reference to a missing key.
        """
        for _ in range(MAX_DEPTH):
            if not isinstance(value, str) or value[:1] not in ("@", "%", "$"):
                return value
            if value.startswith("$"):
                found = f"{place} is the expression {value!r}, which is not evaluated"
                raise self.fault(found, "a plain value")
            value = self._referred(value, place)
        raise self.fault(f"{place} refers to itself", "a plain value")

    def resolve(self, value: Any, place: str, depth: int = 0) -> Any:
        """Follow all references within a value. Raises EnvironmentFault as `shallow` does."""
        self.parts_left -= 1
        if self.parts_left < 0:
            raise self.fault(f"refers to more than {MAX_PARTS} parts", "plain values")
        if depth > MAX_DEPTH:
            raise self.fault(f"{place} refers to itself", "a plain value")
        value = self.shallow(value, place)
        if isinstance(value, dict):
            return {key: self.resolve(part, f"{place}::{key}", depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            return [self.resolve(part, f"{place}::{i}", depth + 1) for i, part in enumerate(value)]
        return value

    def fault(self, found: str, expected: str = "", hint: str = "") -> EnvironmentFault:
        """Make an error of this file."""
        return EnvironmentFault(found, file=self.file, expected=expected, hint=hint)

    def _referred(self, reference: str, place: str) -> Any:
        value: Any = self.content
        for part in reference[1:].replace("#", "::").split("::"):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                found = f"{place} refers to {reference}, which is missing"
                raise self.fault(found, "a key of this file") from error
        return value


def read_config(folder: Path, name: str) -> Config:
    """Read configs/`name` as JSON or YAML. Raises EnvironmentFault for a missing or broken file."""
    files = [folder / "configs" / f"{name}{suffix}" for suffix in SUFFIXES]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise EnvironmentFault("no such file", file=files[0], expected="the folder of a MONAI bundle")
    read = read_json if file.suffix == ".json" else read_yaml
    content = read(file, EnvironmentFault)
    if not isinstance(content, dict):
        raise EnvironmentFault(f"holds a {type(content).__name__}", file=file, expected="a mapping")
    return Config(content, file)


KEYS = ("keys", "allow_missing_keys")
"""Arguments of every dictionary transform that prediction does not depend on."""
DICTIONARY = re.compile(r"(?<=.)(Dict|D|d)$")
"""Suffixes of the names of dictionary transforms."""


@dataclass(frozen=True)
class Step:
    """A transform: its class and arguments, without the keys of the dictionary."""

    name: str
    arguments: Mapping[str, Any]
    config: Config
    place: str

    def only(self, **known: Any) -> dict[str, Any]:
        """Resolve the arguments; `known` lists all supported ones with their defaults.

        Raises EnvironmentFault for another argument, which could change the result, and for expressions.
        """
        self.expect(self.arguments.keys() <= known.keys(), f"no arguments but {', '.join(known) or 'keys'}")
        return {
            name: self.config.resolve(self.arguments.get(name, default), f"{self.place}::{name}")
            for name, default in known.items()
        }

    def expect(self, is_valid: bool, expected: str) -> None:
        """Raise EnvironmentFault for the arguments of this transform unless they are valid."""
        if not is_valid:
            listed = ", ".join(f"{name} {value!r}" for name, value in self.arguments.items())
            raise self.config.fault(f"{self.place} is {self.name} with {listed or 'no arguments'}", expected)

    def refuse(self, expected: str) -> None:
        """Raise EnvironmentFault for a transform that segcube does not have."""
        raise self.config.fault(f"{self.place} is {self.name}, which segcube does not have", expected)


def steps_of(config: Config, key: str) -> list[Step]:
    """List the transforms of a Compose, or a single one; empty without the key.

    Class names lose their module and the suffix of dictionary transforms. Raises EnvironmentFault for other
    content.
    """
    if key not in config.content:
        return []
    content = config.shallow(config.content[key], key)
    if isinstance(content, dict) and _class_of(content) == "Compose":
        key = f"{key}::transforms"
        content = config.shallow(content.get("transforms", []), key)
    parts = content if isinstance(content, list) else [content]
    found = [step_of(part, config, f"{key}::{index}") for index, part in enumerate(parts)]
    return [step for step in found if step is not None]


def step_of(part: Any, config: Config, place: str) -> Step | None:
    """Read a transform or inferer; None for a disabled one. Raises EnvironmentFault for other content."""
    part = config.shallow(part, place)
    if not isinstance(part, dict) or "_target_" not in part:
        raise config.fault(f"{place} is {part!r}", "a transform with a _target_")
    if config.shallow(part.get("_disabled_", False), f"{place}::_disabled_") in (True, "true", "True"):
        return None
    arguments = {name: value for name, value in part.items() if name not in KEYS and name[:1] != "_"}
    return Step(DICTIONARY.sub("", _class_of(part)), arguments, config, place)


def _class_of(content: Mapping[str, Any]) -> str:
    return str(content.get("_target_", "")).rpartition(".")[2]
