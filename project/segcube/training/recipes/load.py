"""Read recipes: those that segcube ships and a user's own, which may inherit from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from segcube.core import UsageError, explain_validation_error, parse_yaml, read_yaml
from segcube.training.recipes.schema import Recipe

FOLDER = Path(__file__).parent / "data"
INHERIT = "inherit"
"""The key of a recipe that names the recipe whose values apply where it has none."""
OTHER_NAMES = {
    "lr": "optimizer.learning_rate",
    "epochs": "steps",
    "batch_size": "planning.batch",
    "patch_size": "planning.patch",
}
"""Names that other tools have for a recipe's keys."""


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that segcube ships."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))


def load_recipe(recipe: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe by its name or from a YAML file, with all values that it inherits.

    overrides: values that replace the recipe's, as nested mappings. Mappings are merged key by key, all
    other values, lists among them, are replaced. Raises UsageError for an unknown name, and for an unknown
    key or value, with the valid ones.
    """
    file = _file_of(recipe, Path())
    content, changes = _read(file, ()), overrides or {}
    content = merge_values(_without_other_network(content, changes), changes)
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
    found, hints = explain_validation_error(error, Recipe), list[str]()
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


def _file_of(recipe: str | Path, folder: Path) -> Path:
    """The file of a recipe: a path relative to `folder`, or the name of a recipe that segcube ships."""
    if str(recipe) in recipe_names():
        return FOLDER / f"{recipe}.yaml"
    file = folder / recipe
    if file.suffix in (".yaml", ".yml") and file.is_file():
        return file
    raise UsageError(
        f"no recipe {str(recipe)!r}", expected=f"one of {', '.join(recipe_names())}, or a YAML file"
    )


def _read(file: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    if file.resolve() in children:
        raise UsageError("the recipe inherits from itself", file=file, expected="another recipe")
    content = read_yaml(file, UsageError)
    if not isinstance(content, dict):
        raise UsageError(f"contains a {type(content).__name__}", file=file, expected="a mapping, a recipe")
    parent = content.pop(INHERIT, None)
    if parent is None:
        return content
    if not isinstance(parent, str):
        raise UsageError(f"{INHERIT} = {parent!r}", file=file, expected="the name or file of a recipe")
    inherited = _read(_file_of(parent, file.parent), (*children, file.resolve()))
    inherited.pop("name", None)
    return merge_values(_without_other_network(inherited, content), content)


def _without_other_network(inherited: dict[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the arguments of the inherited network where a recipe names another one."""
    own, old = content.get("network"), inherited.get("network")
    if isinstance(own, dict) and isinstance(old, dict) and own.get("name", old["name"]) != old["name"]:
        return {**inherited, "network": {}}
    return inherited


def merge_values(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with other values; mappings within mappings are merged."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            value = merge_values(old, value)
        merged[key] = value
    return merged
