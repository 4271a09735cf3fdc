"""Recipe files: those that segcube ships and a user's own, which may inherit from another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segcube.core import UsageError, read_yaml

INHERIT = "inherit"
"""The key of a recipe that names the recipe whose values apply where it has none."""


def shipped_names(shipped: Path) -> tuple[str, ...]:
    """Return the names of the recipes in a folder of segcube."""
    return tuple(sorted(file.stem for file in shipped.glob("*.yaml")))


def find_recipe(recipe: str | Path, shipped: Path, folder: Path = Path()) -> Path:
    """Return the file of a recipe: a name of the folder `shipped`, or a path relative to `folder`.

    Raises UsageError for neither.
    """
    if str(recipe) in shipped_names(shipped):
        return shipped / f"{recipe}.yaml"
    file = folder / recipe
    if file.suffix in (".yaml", ".yml") and file.is_file():
        return file
    names = ", ".join(shipped_names(shipped))
    raise UsageError(f"no recipe {str(recipe)!r}", expected=f"one of {names}, or a YAML file")


def read_values(file: Path, shipped: Path, children: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a recipe's values with all that it inherits; children: the recipes that inherit from it.

    Mappings are merged key by key, all other values, lists among them, are replaced. Raises UsageError for a
    file that is no mapping, and one that inherits from itself or from no recipe.
    """
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
    place = find_recipe(parent, shipped, file.parent)
    inherited = read_values(place, shipped, (*children, file.resolve()))
    inherited.pop("name", None)
    return merge_recipe(inherited, content)


def merge_recipe(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge changes into a recipe's values; another network's arguments do not stay."""
    own, old = changes.get("network"), values.get("network")
    if (
        isinstance(own, dict)
        and isinstance(old, dict)
        and own.get("name", old.get("name")) != old.get("name")
    ):
        values = {**values, "network": {}}
    return _merge(values, changes)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            value = _merge(old, value)
        merged[key] = value
    return merged
