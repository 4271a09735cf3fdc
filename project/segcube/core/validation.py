"""Say what is wrong with a YAML file in the words of its reader."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from segcube.core.documents import read_yaml
from segcube.core.errors import SegcubeError

T = TypeVar("T", bound=Hashable)


def _axis_codes(letters: str) -> str:
    if sorted(letters.translate(str.maketrans("RPI", "LAS"))) != ["A", "L", "S"]:
        raise ValueError("three letters: one of L and R, one of A and P, one of S and I")
    return letters


AxisCodes: TypeAlias = Annotated[str, AfterValidator(_axis_codes)]
"""Where each voxel axis runs to, such as RAS, in any order."""


def expect_once(place: str, values: Iterable[Hashable]) -> None:
    """Raise ValueError where a value comes more than once."""
    repeated = [str(value) for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise ValueError(f"{place} repeat: {', '.join(repeated)}")


def _each_once(values: tuple[T, ...]) -> tuple[T, ...]:
    expect_once("entries", values)
    return values


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("not all characters can be printed, or blanks stand around it")
    return text


def _file_name(text: str) -> str:
    if text in (".", "..") or "/" in text:
        raise ValueError("not the name of a file in this folder: it lies outside the folder")
    return _printable(text)


class Model(BaseModel):
    """A part of a file: frozen, closed to unknown keys, and its numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
"""Of a channel, region, label or stage."""
Names: TypeAlias = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_each_once)]
"""At least one, each once."""
FileName: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_file_name)]
"""Of a file beside the one that names it."""
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Once: TypeAlias = Annotated[tuple[T, ...], AfterValidator(_each_once)]
"""Any number of entries, each once."""
Extent: TypeAlias = Annotated[int, Field(ge=1, le=2**15 - 1)]
"""Voxels along an axis; NIfTI has 16 bits for them."""
MOST_VOXELS = 2**28
"""Of a volume: types.MAX_VOXELS, which takes the import of numpy."""
Voxels: TypeAlias = Annotated[int, Field(ge=0, le=MOST_VOXELS)]
Edge: TypeAlias = Annotated[float, Field(ge=1e-4, le=1e4)]
"""Of a voxel, in mm, as for scans: volumes.EDGES_MM."""


def _fits_a_volume(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if math.prod(shape) > MOST_VOXELS:
        raise ValueError(f"{' x '.join(map(str, shape))} is more than {MOST_VOXELS:,} voxels")
    return shape


Extents: TypeAlias = Annotated[tuple[Extent, Extent, Extent], AfterValidator(_fits_a_volume)]
"""Of a window or a volume."""


M = TypeVar("M", bound=BaseModel)
MOST_SHOWN = 80
"""Characters of a key or a value in an error."""


def read_model(file: Path, model: type[M], fault: type[SegcubeError]) -> M:
    """Read a YAML file into a model.

    Raises `fault` when the file is not read by `read_yaml` or breaks the schema: it names the key, the value
    and what is valid.
    """
    content = read_yaml(file, fault)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise fault(explain(error, model), file=file) from error


def explain(error: ValidationError, model: type[BaseModel], limit: int = 5) -> str:
    """A validation error in one line: each key, its value, and the valid keys where one is unknown."""
    items = [item for item in map(dict, error.errors(include_url=False)) if not _follows(item)]
    return "; ".join(_explain_one(item, model) for item in items[:limit])


def _follows(item: dict[str, Any]) -> bool:
    """Whether a sequence is short only because its own entries were refused, which has been said."""
    return item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]


def _explain_one(item: dict[str, Any], model: type[BaseModel]) -> str:
    location = tuple(item["loc"])
    parts = [str(part)[:MOST_SHOWN] for part in location]
    # Before the last one, pydantic's own names of the parts of a union stand among the file's keys
    key = ".".join(part for part in parts if part == parts[-1] or "[" not in part) or "the file"
    if item["type"] == "extra_forbidden":
        return f"unknown key {key!r}; valid keys there: {', '.join(_valid_keys(model, location[:-1]))}"
    if item["type"] == "missing":
        return f"key {key!r} is missing"
    return f"{key!r} = {str(item['input'])[:MOST_SHOWN]!r}: {item['msg'].removeprefix('Value error, ')}"


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
