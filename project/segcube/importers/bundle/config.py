"""A MONAI bundle's configuration as data: plain references are followed, expressions never run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcube.documents import read_json, read_yaml
from segcube.errors import EnvironmentFault

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

    def fault(self, found: str, expected: str = "", mend: str = "") -> EnvironmentFault:
        """What is wrong with this file."""
        return EnvironmentFault(found, file=self.file, expected=expected, mend=mend)

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
