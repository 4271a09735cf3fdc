"""Say what is wrong with a YAML file in the words of its reader."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

from segcube.errors import SegcubeError


def _axis_codes(letters: str) -> str:
    if sorted(letters.translate(str.maketrans("RPI", "LAS"))) != ["A", "L", "S"]:
        raise ValueError("three letters: one of L and R, one of A and P, one of S and I")
    return letters


AxisCodes: TypeAlias = Annotated[str, AfterValidator(_axis_codes)]
"""Where each voxel axis runs to, such as RAS, in any order."""


M = TypeVar("M", bound=BaseModel)
# libyaml's loader is as safe as the plain one, and several times as fast
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_model(file: Path, model: type[M], fault: type[SegcubeError]) -> M:
    """Read a YAML file into a model.

    Raises `fault` when the file cannot be read, is no YAML or breaks the schema: it names the key, the value
    and what is valid.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise fault(f"cannot be read: {error}", file=file, expected="a YAML file") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise fault(explain(error, model), file=file) from error


def explain(error: ValidationError, model: type[BaseModel], limit: int = 5) -> str:
    """A validation error in one line: each key, its value, and the valid keys where one is unknown."""
    return "; ".join(_explain_one(dict(item), model) for item in error.errors()[:limit])


def _explain_one(item: dict[str, Any], model: type[BaseModel]) -> str:
    location = tuple(item["loc"])
    key = ".".join(str(part) for part in location) or "the file"
    if item["type"] == "extra_forbidden":
        return f"unknown key {key!r}; valid keys there: {', '.join(_valid_keys(model, location[:-1]))}"
    if item["type"] == "missing":
        return f"key {key!r} is missing"
    return f"{key!r} = {str(item['input'])[:80]!r}: {item['msg']}"


def _valid_keys(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    models = [model]
    for part in location:
        fields = [
            field for m in models for name, field in m.model_fields.items() if part in (name, field.alias)
        ]
        if fields:
            models = [found for field in fields for found in _models_in(field.annotation)]
        elif isinstance(part, str):
            models = [m for m in models if part in _tags(m)] or models
    return [field.alias or name for m in models for name, field in m.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _models_in(part)]


def _tags(model: type[BaseModel]) -> set[str]:
    rule = model.model_fields.get("rule")
    return {model.__name__, *(get_args(rule.annotation) if rule else ())}
