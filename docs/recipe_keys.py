"""`make docs`: write docs/recipe.md from the schema of recipes."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from segcube.diffusion.recipe import DiffusionRecipe
from segcube.training.recipes import Recipe

PAGE = Path(__file__).with_name("recipe.md")
INTRODUCTION = """# Keys of a recipe

`make docs` writes this page from the schema. A recipe is a YAML file; `inherit: NAME` takes all values that
it does not set from another recipe, and `segcube plan --set KEY=VALUE` replaces single ones, such as
`--set optimizer.learning_rate=0.001`. [training.md](training.md#plan-and-recipe) lists the recipes that
segcube ships. A key without a default is required, unless it is inherited.

Patches, kernels and strides are in the branch's order of axes: z, y, x after nnU-Net's preprocessing (its
coarsest axis first), x, y, z after BraTS-UGRIP's.

`segcube synthesize` has [recipes of its own](#diffusionrecipe), whose further sections are the same.
"""
SIMPLE: dict[Any, str] = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """All models within a type, in order."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_of(part)


def type_text(annotation: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(parts[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in parts)
    if origin in (Union, UnionType):
        return " or ".join(type_text(part) for part in parts if part is not NoneType)
    if origin is tuple and parts[-1] is not Ellipsis:
        return f"{len(parts)} of: {type_text(parts[0])}"
    if origin is tuple:
        return f"list of: {type_text(parts[0])}"
    if origin is dict:
        return f"mapping to {type_text(parts[1])}"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return SIMPLE.get(annotation, "any value")


def limits(field: FieldInfo) -> str:
    """The bounds of a number."""
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    parts = [
        f"{word} {getattr(item, name):,.10g}"
        for item in field.metadata
        for name, word in signs.items()
        if hasattr(item, name)
    ]
    return f" ({', '.join(parts)})" if parts else ""


def default_text(field: FieldInfo) -> str:
    """A default as YAML has it; empty for a required key and for a section, whose keys have defaults."""
    if field.is_required() or field.default_factory is not None or isinstance(field.default, BaseModel):
        return ""
    value = field.default
    if value is None or isinstance(value, bool):
        return f"`{str(value).lower().replace('none', 'null')}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(number_text(item) for item in value)}]`"
    return f"`{number_text(value)}`"


def number_text(value: object) -> str:
    """A value without more digits than it needs."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """The strings that follow keys in a model's source."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(body, ast.ClassDef)
    return {
        key.target.id: " ".join(text.value.value.split())
        for key, text in pairwise(body.body)
        if isinstance(key, ast.AnnAssign)
        and isinstance(key.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def section(model: type[BaseModel]) -> str:
    """A model: its description and a table of its keys."""
    text = " ".join(inspect.cleandoc(model.__doc__ or "").split()).replace("None", "null")
    further = meanings(model)
    rows = [
        f"| `{field.alias or name}` | {type_text(field.annotation)}{limits(field)} | {default_text(field)} | "
        f"{further.get(name, '').replace('None', 'null')} |"
        for name, field in model.model_fields.items()
    ]
    head = [f"## {model.__name__}", "", textwrap.fill(text, 120), ""]
    return "\n".join([*head, "| key | type | default | meaning |", "|---|---|---|---|", *rows])


def page() -> str:
    """The whole page: each model after those that use it."""
    found: list[type[BaseModel]] = [Recipe, DiffusionRecipe]
    for model in found:
        for field in model.model_fields.values():
            found += [part for part in models_of(field.annotation) if part not in found]
    return "\n\n".join([INTRODUCTION.strip(), *map(section, found)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(PAGE)
