"""Surface elements (surfels) of a mask, and the distances between two surfaces weighted by their areas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from segcube.core import Vector, bounding_box
from segcube.evaluation.metrics.distances import nearest_distances

PERCENT = 95
NORMALS = Path(__file__).parent / "data" / "surface_normals.txt"
INSIDE = 255
"""The code of a neighbourhood with all voxels in the mask."""


@dataclass(frozen=True)
class Surface:
    """The surface elements of a mask, each at the corner between eight voxels."""

    points: np.ndarray
    """(N, 3), integers."""
    areas: np.ndarray
    """In mm2."""


@cache
def surface_normals() -> np.ndarray:
    """Decode the table: normals of each of the 256 neighbourhoods, (256, 4, 3) float64, unused ones 0.

    A normal's length is its triangle's area between voxels of 1 mm. MONAI's own table of areas is float32,
    which changes percentiles at ties; the normals are exact, so areas computed from them are float64.
    """
    rows = [line for line in NORMALS.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    normals = np.zeros((256, 4, 3))
    for code, word in enumerate(" ".join(rows).split()):
        for triangle in range(len(word) // 3):
            normals[code, triangle] = [int(digit) - 4 for digit in word[3 * triangle : 3 * triangle + 3]]
    return normals / 8


@lru_cache(maxsize=64)
def area_table(spacing: Vector) -> np.ndarray:
    """Surface area in mm2 of each of the 256 neighbourhoods of 2x2x2 voxels."""
    x, y, z = spacing
    faces = np.array([y * z, x * z, x * y])
    return np.array([sum(float(np.linalg.norm(n)) for n in normals * faces) for normals in surface_normals()])


def surface_of(
    mask_xyz: np.ndarray, spacing: Vector, origin: tuple[int, int, int] = (0, 0, 0), weight: int = 1
) -> Surface:
    """Find the surface of a mask; an empty mask has none.

    origin: added to the points. weight: the value of the mask's voxels, modulo 256. The code is defined for
    1; any other value gives neighbourhoods inside the mask the code of a border.
    """
    box = bounding_box(mask_xyz)
    if box is None:
        return Surface(np.zeros((0, 3), dtype=np.int64), np.zeros(0))
    padded_xyz = np.pad(box.apply(mask_xyz).astype(np.uint8), 1)
    near, far = slice(None, -1), slice(1, None)
    # A bit a voxel of 2x2x2: the lower voxel along z is worth 2, along y 4, along x 16 times the upper one
    code_xyz = padded_xyz[..., far] + (padded_xyz[..., near] << 1)
    code_xyz = code_xyz[:, far] + (code_xyz[:, near] << 2)
    code_xyz = code_xyz[far] + (code_xyz[near] << 4)
    code_xyz *= np.uint8(weight % (INSIDE + 1))
    places = np.flatnonzero((code_xyz != 0) & (code_xyz != INSIDE))
    points = np.transpose(np.unravel_index(places, code_xyz.shape))
    return Surface(points + (np.array(box.start) + origin), area_table(spacing)[code_xyz.ravel()[places]])


def united(surfaces: Sequence[Surface]) -> Surface:
    """Join the surfaces of masks that share no neighbourhood of 2x2x2 voxels."""
    if not surfaces:
        return Surface(np.zeros((0, 3), dtype=np.int64), np.zeros(0))
    points = np.concatenate([surface.points for surface in surfaces])
    return Surface(points, np.concatenate([surface.areas for surface in surfaces]))


class SurfaceDistances:
    """Distances between two surfaces, both ways, each element weighted by its area.

    An empty surface is infinitely far from any other, an empty one included; callers handle empty masks.
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
        return math.inf if self._apart else self._weighted_mean(*self._distances)

    def nsd(self, tolerance: float) -> float:
        """Share of both surfaces, by area, within `tolerance` mm of the other; 0 where one is empty."""
        there, back = ((distances <= tolerance).astype(np.float64) for distances in self._distances)
        return 0.0 if self._apart else self._weighted_mean(there, back)

    def _weighted_mean(self, there: np.ndarray, back: np.ndarray) -> float:
        one, other = self._areas
        weighted = float(np.sum(there * one) + np.sum(back * other))
        return weighted / float(np.sum(one) + np.sum(other))


def _percentile(distances: np.ndarray, areas: np.ndarray) -> float:
    if not len(distances):
        return math.inf
    order = np.lexsort((areas, distances))
    share = np.cumsum(areas[order]) / np.sum(areas[order])
    index = int(np.searchsorted(share, PERCENT / 100))
    return float(distances[order][min(index, len(distances) - 1)])
