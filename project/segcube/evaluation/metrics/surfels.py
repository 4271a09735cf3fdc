"""Surface elements of a mask and the distances between surfaces."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from segcube.core import EnvironmentFault, Vector, mask_box
from segcube.evaluation.metrics.distances import nearest_distances

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
        raise EnvironmentFault("MONAI is not installed", hint="it comes with segcube's requirements")
    file = Path(folder) / "metrics" / "utils.py"
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == TABLE:
            return np.array(_table(node), dtype=np.float64)
    raise EnvironmentFault(f"no {TABLE}", file=file, hint="install the MONAI of segcube's requirements")


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


PERCENT = 95
INSIDE = 255
"""The code of a neighbourhood that lies in the mask with all its voxels."""


@dataclass(frozen=True)
class Surface:
    """A mask's surface elements, each in the corner between eight voxels."""

    points: np.ndarray
    """(N, 3), whole numbers."""
    areas: np.ndarray
    """In mm2."""


@lru_cache(maxsize=64)
def area_table(spacing: Vector) -> np.ndarray:
    """Surface area in mm2 of each of the 256 neighbourhoods of 2x2x2 voxels."""
    x, y, z = spacing
    faces = np.array([y * z, x * z, x * y])
    return np.array([sum(float(np.linalg.norm(n)) for n in normals * faces) for normals in surface_normals()])


def surface_of(
    mask_xyz: np.ndarray, spacing: Vector, origin: tuple[int, int, int] = (0, 0, 0), weight: int = 1
) -> Surface:
    """The surface of a mask; `origin` is added to its points. An empty mask has none.

    weight: the value that the mask's voxels count with, modulo 256. The rule is made for 1; others give
    neighbourhoods inside the mask the code of a border.
    """
    box = mask_box(mask_xyz)
    if box is None:
        return Surface(np.zeros((0, 3), dtype=np.int64), np.zeros(0))
    padded_xyz = np.pad(box.apply(mask_xyz).astype(np.uint8), 1)
    near, far = slice(None, -1), slice(1, None)
    # The nearer of two along z counts twice the other, along y four times, along x sixteen times
    code_xyz = padded_xyz[..., far] + (padded_xyz[..., near] << 1)
    code_xyz = code_xyz[:, far] + (code_xyz[:, near] << 2)
    code_xyz = code_xyz[far] + (code_xyz[near] << 4)
    code_xyz *= np.uint8(weight % (INSIDE + 1))
    places = np.flatnonzero((code_xyz != 0) & (code_xyz != INSIDE))
    points = np.transpose(np.unravel_index(places, code_xyz.shape))
    return Surface(points + (np.array(box.start) + origin), area_table(spacing)[code_xyz.ravel()[places]])


def united(surfaces: Sequence[Surface]) -> Surface:
    """Several masks' surfaces as one; the masks share no neighbourhood of 2x2x2 voxels."""
    if not surfaces:
        return Surface(np.zeros((0, 3), dtype=np.int64), np.zeros(0))
    points = np.concatenate([surface.points for surface in surfaces])
    return Surface(points, np.concatenate([surface.areas for surface in surfaces]))


class SurfaceDistances:
    """Distances between two surfaces, both ways, each element weighted by its area.

    An empty surface is infinitely far from any, and so are two: whoever asks decides what they are worth.
    """

    def __init__(self, one: Surface, other: Surface, spacing: Vector) -> None:
        self._areas = one.areas, other.areas
        self._apart = not len(one.points) or not len(other.points)
        self._distances = (
            nearest_distances(one.points, other.points, spacing),
            nearest_distances(other.points, one.points, spacing),
        )

    def hd95(self) -> float:
        """The larger of both directions' area-weighted 95th percentiles, in mm; inf where one is empty."""
        there, back = map(_percentile, self._distances, self._areas)
        return max(there, back)

    def mean(self) -> float:
        """Mean distance over both surfaces, in mm; inf where one is empty."""
        return math.inf if self._apart else self._weigh(*self._distances)

    def nsd(self, tolerance: float) -> float:
        """Share of both surfaces, by area, within `tolerance` mm of the other; 0 where one is empty."""
        there, back = ((distances <= tolerance).astype(np.float64) for distances in self._distances)
        return 0.0 if self._apart else self._weigh(there, back)

    def _weigh(self, there: np.ndarray, back: np.ndarray) -> float:
        one, other = self._areas
        weighed = float(np.sum(there * one) + np.sum(back * other))
        return weighed / float(np.sum(one) + np.sum(other))


def _percentile(distances: np.ndarray, areas: np.ndarray) -> float:
    if not len(distances):
        return math.inf
    order = np.lexsort((areas, distances))
    share = np.cumsum(areas[order]) / np.sum(areas[order])
    index = int(np.searchsorted(share, PERCENT / 100))
    return float(distances[order][min(index, len(distances) - 1)])
