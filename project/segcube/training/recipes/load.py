"""Load recipes of trainings, and explain what is wrong with one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from segcube.core import UsageError, explain_validation_error, parse_yaml, read_yaml
from segcube.training.recipes.files import INHERIT, find_recipe, merge_recipe, read_values, shipped_names
from segcube.training.recipes.schema import Recipe

FOLDER = Path(__file__).parent / "data"
OTHER_NAMES = {
    "lr": "optimizer.learning_rate",
    "epochs": "steps",
    "batch_size": "planning.batch",
    "patch_size": "planning.patch",
}
"""Names that other tools have for a recipe's keys."""


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that segcube ships."""
    return shipped_names(FOLDER)


def load_recipe(recipe: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe by its name or from a YAML file, with all values that it inherits.

    overrides: values that replace the recipe's, as nested mappings. Raises UsageError as `read_values` does,
    and for an unknown name, key or value, with the valid ones.
    """
    file = find_recipe(recipe, FOLDER)
    content = merge_recipe(read_values(file, FOLDER), overrides or {})
    content.setdefault("name", file.stem)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise _invalid(error, file, list(overrides or ())) from error


def parse_overrides(settings: Iterable[str]) -> dict[str, Any]:
    """Parse settings such as `optimizer.learning_rate=0.001` into nested mappings; values are YAML.

    Raises UsageError for one without a key, and for a value that is not YAML.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        path, separator, text = setting.partition("=")
        *parents, key = path.strip().split(".")
        if not separator or not key or not all(parents):
            raise UsageError(f"--set {setting}", expected="KEY=VALUE, such as optimizer.learning_rate=0.001")
        try:
            value = parse_yaml(text)
        except ValueError as error:
            raise UsageError(f"--set {setting}: {error}", expected="a value in YAML") from error
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise UsageError(f"--set {setting}: {parent} is set to a value", expected="one of both")
        place[key] = value
    return found


def recipe_digest(recipe: Recipe) -> str:
    """Return the SHA-256 of a recipe, of all values but its length in steps."""
    content = recipe.model_dump(mode="json", exclude={"steps"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _invalid(error: ValidationError, file: Path, changed: Sequence[str]) -> UsageError:
    """The error of a recipe whose values do not fit; changed: keys whose values were replaced."""
    found, hints = explain_validation_error(error, Recipe, further=[INHERIT]), list[str]()
    shipped = file.parent == FOLDER
    if changed:
        hints.append(f"correct {'' if shipped else 'the recipe, or '}what was set for {', '.join(changed)}")
    if meant := _meant(error):
        hints.append(f"did you mean {' or '.join(meant)}?")
    kinds = {item["type"] for item in error.errors(include_url=False)}
    if "missing" in kinds and INHERIT not in read_yaml(file, UsageError):
        hints.append(f"start from another recipe, with the line {INHERIT}: nnunet")
    if shipped:
        # Valid by itself: what was set is wrong, not the file
        return UsageError(f"recipe {file.stem}: {found}", hint="; ".join(hints))
    return UsageError(found, file=file, hint="; ".join(hints))


def _meant(error: ValidationError) -> list[str]:
    """Keys of a recipe that unknown ones may stand for: of the same name in another place, or other names."""
    places = {name: [name] for name in Recipe.model_fields}
    for section, field in Recipe.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for name in field.annotation.model_fields:
                places.setdefault(name, []).append(f"{section}.{name}")
    unknown = [item["loc"][-1] for item in error.errors() if item["type"] == "extra_forbidden"]
    meant = [places.get(str(name)) or [OTHER_NAMES.get(str(name), "")] for name in unknown]
    return [place for found in meant for place in found if place]
