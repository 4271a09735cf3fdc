"""The normals of marching cubes: the only place in this room that knows MONAI."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from segcube.errors import EnvironmentFault

TABLE = "_get_neighbour_code_to_normals_table"


@cache
def surface_normals() -> np.ndarray:
    """Normals of the surface in each of the 256 cubes of 2x2x2 voxels: (256, 4, 3), unused ones 0.

    A normal's length is its triangle's area between voxels of 1 mm. MONAI's own area table is float32, which
    turns percentiles at ties; its normals are exact, so the areas are computed from them in float64. Raises
    EnvironmentFault where MONAI is not installed, or keeps no such table.
    """
    # Its source is read, as it is a list of numbers: MONAI and torch take seconds and 250 MB to import.
    spec = find_spec("monai")
    folder = next(iter(spec.submodule_search_locations or ()), None) if spec else None
    if folder is None:
        raise EnvironmentFault("MONAI is not installed", mend="it comes with segcube's requirements")
    file = Path(folder) / "metrics" / "utils.py"
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == TABLE:
            return np.array(_table(node), dtype=np.float64)
    raise EnvironmentFault(f"no {TABLE}", file=file, mend="install the MONAI of segcube's requirements")


def _table(function: ast.FunctionDef) -> list:
    """The list that a function assigns last; it may name earlier ones."""
    known: dict[str, list] = {}
    table: list = []
    for node in function.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            known[ast.unparse(node.targets[0])] = table = _value(node.value, known)
    return table


def _value(node: ast.expr, known: Mapping[str, list]) -> Any:
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.List):
        return [_value(item, known) for item in node.elts]
    return ast.literal_eval(node)
