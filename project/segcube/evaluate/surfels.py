"""Surfaces between voxels, weighted by their area: the HD95 of the lesion-wise scores.

The rule of google-deepmind/surface-distance: marching cubes on 2x2x2 neighbourhoods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from segcube.evaluate.distances import nearest_distances
from segcube.evaluate.normals import surface_normals
from segcube.preprocess import mask_box
from segcube.types import Vector

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
