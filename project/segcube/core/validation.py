"""Types of validated YAML files, and error messages in terms of the file's keys and values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from segcube.core.documents import USUAL_LIMITS, YamlLimits, read_yaml
from segcube.core.errors import SegcubeError
from segcube.core.values import MAX_AXIS, MAX_VOXELS, SPACING_RANGE_MM

T = TypeVar("T", bound=Hashable)


def _axis_codes(letters: str) -> str:
    if sorted(letters.translate(str.maketrans("RPI", "LAS"))) != ["A", "L", "S"]:
        raise ValueError("expected three letters: one of L and R, one of A and P, one of S and I")
    return letters


AxisCodes: TypeAlias = Annotated[str, AfterValidator(_axis_codes)]
"""Anatomical direction of each voxel axis, such as RAS or LPS, in any order."""


def check_unique(place: str, values: Iterable[Hashable]) -> None:
    """Raise ValueError, beginning with `place`, for values that occur more than once."""
    repeated = [str(value) for value, count in Counter(values).items() if count > 1]
    if repeated:
        raise ValueError(f"duplicate {place}: {', '.join(repeated)}")


def _unique(values: tuple[T, ...]) -> tuple[T, ...]:
    check_unique("entries", values)
    return values


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("unprintable characters, or blanks at the beginning or end")
    return text


def _file_name(text: str) -> str:
    if text in (".", "..") or "/" in text:
        raise ValueError("expected the name of a file in this folder, not a path outside the folder")
    return _printable(text)


class StrictModel(BaseModel):
    """Base of all models of YAML files: frozen, without unknown keys, with finite numbers only."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
"""Name of a channel, region, label or stage."""
Names: TypeAlias = Annotated[tuple[Name, ...], Field(min_length=1), AfterValidator(_unique)]
"""At least one name, without duplicates."""
FileName: TypeAlias = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_file_name)]
"""Name of a file in the same folder as the YAML file."""
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Unique: TypeAlias = Annotated[tuple[T, ...], AfterValidator(_unique)]
"""Any number of entries, without duplicates."""
VoxelCount: TypeAlias = Annotated[int, Field(ge=0, le=MAX_VOXELS)]
SpacingMm: TypeAlias = Annotated[float, Field(ge=SPACING_RANGE_MM[0], le=SPACING_RANGE_MM[1])]


def _fits_in_a_volume(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if math.prod(shape) > MAX_VOXELS:
        raise ValueError(f"{' x '.join(map(str, shape))} is more than {MAX_VOXELS:,} voxels")
    return shape


_AxisLength: TypeAlias = Annotated[int, Field(ge=1, le=MAX_AXIS)]
BoundedShape: TypeAlias = Annotated[
    tuple[_AxisLength, _AxisLength, _AxisLength], AfterValidator(_fits_in_a_volume)
]
"""Shape of a window or volume, in voxels."""


M = TypeVar("M", bound=BaseModel)
MAX_SHOWN = 80
"""Characters of a key or a value that a message quotes."""


def read_model(file: Path, model: type[M], fault: type[SegcubeError], limits: YamlLimits = USUAL_LIMITS) -> M:
    """Read a YAML file into a model.

    Raises `fault` for a file that `read_yaml` rejects or that does not match the model; the message names
    the key, its value and the valid ones.
    """
    content = read_yaml(file, fault, limits=limits)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise fault(explain_validation_error(error, model), file=file) from error


def explain_validation_error(
    error: ValidationError, model: type[BaseModel], limit: int = 5, further: Sequence[str] = ()
) -> str:
    """Return a validation error as one line: up to `limit` keys, each with its value and the valid ones.

    further: valid keys of the file that the model does not have.
    """
    items = [item for item in map(dict, error.errors(include_url=False)) if not _is_consequence(item)]
    return "; ".join(_explain_one(item, model, further) for item in items[:limit])


def _is_consequence(item: dict[str, Any]) -> bool:
    """Return whether a sequence is too short only because its entries are invalid, each an error itself."""
    return item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]


def _explain_one(item: dict[str, Any], model: type[BaseModel], further: Sequence[str]) -> str:
    location = tuple(item["loc"])
    parts = [str(part)[:MAX_SHOWN] for part in location]
    # pydantic inserts names of union members, such as function-after[...], between the file's keys
    key = ".".join(part for part in parts if part == parts[-1] or "[" not in part)
    place = repr(key) if key else "the content"
    if item["type"] == "extra_forbidden":
        valid = [*_valid_keys(model, location[:-1]), *(further if len(location) == 1 else ())]
        return f"unknown key {key!r}; valid keys: {', '.join(valid)}"
    if item["type"] == "missing":
        return f"key {key!r} is missing"
    if item["type"] == "value_error" and isinstance(item["input"], dict):
        # Found by comparing several keys: the message names them
        message = item["msg"].removeprefix("Value error, ")
        return f"{place}: {message}" if key else message
    message = item["msg"].removeprefix("Value error, ")
    field = model.model_fields.get(key) if item["type"] == "string_pattern_mismatch" else None
    if field is not None and field.description:
        message = f"expected {field.description}"
    value = str(item["input"])[:MAX_SHOWN]
    return f"{place} is {repr(value) if isinstance(item['input'], str) else value}: {message}"


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
