"""Borders of masks, and the distances between them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.spatial import KDTree

from segcube.core import Vector, bounding_box

NEIGHBOURS = 256
"""Voxels that are tried before the k-d tree: on a grid of 1 mm, those within 3.9 mm."""
AT_ONCE = 16
"""Neighbours that are tried in one step."""


def nearest_distances(points: np.ndarray, others: np.ndarray, spacing: Vector) -> np.ndarray:
    """Distance in mm from each point to the nearest of the others.

    points, others: (N, 3) voxel coordinates, whole numbers. inf for each point when there are no others;
    empty for no points.
    """
    distances = np.full(len(points), np.inf)
    if not len(others) or not len(points):
        return distances
    far = _fill_near(points, others, spacing, distances)
    if len(far):
        steps = np.asarray(spacing, dtype=np.float64)
        _, nearest = KDTree(others * steps, balanced_tree=False, compact_nodes=False).query(
            points[far] * steps
        )
        # Computed again from voxel steps: the rounding of the tree could cross the edge of a tolerance
        distances[far] = _lengths(points[far] - others[nearest], spacing)
    return distances


def _fill_near(points: np.ndarray, others: np.ndarray, spacing: Vector, distances: np.ndarray) -> np.ndarray:
    """Write the distances of points with a neighbour close by; return the indices of the others.

    Two masks of one lesion mostly lie within a few voxels: trying those takes a seventh of the tree's time.
    """
    steps, lengths = _neighbours(spacing)
    reach = np.abs(steps).max(axis=0)
    low = np.minimum(points.min(axis=0), others.min(axis=0)) - reach
    shape = np.maximum(points.max(axis=0), others.max(axis=0)) + reach - low + 1
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    taken = np.zeros(shape.prod(), dtype=bool)
    taken[(others - low) @ strides] = True
    places, shifts = (points - low) @ strides, steps @ strides
    left = np.arange(len(points))
    for start in range(0, len(shifts), AT_ONCE):
        hits = taken[places[:, None] + shifts[start : start + AT_ONCE]]
        first = hits.argmax(axis=1)
        met = hits[np.arange(len(left)), first]
        distances[left[met]] = lengths[start + first[met]]
        left, places = left[~met], places[~met]
        if not len(left):
            break
    return left


@lru_cache(maxsize=64)
def _neighbours(spacing: Vector) -> tuple[np.ndarray, np.ndarray]:
    """Steps to the nearest voxels, (N, 3), and their lengths in mm, nearest first, step 0 included."""
    edges = np.asarray(spacing, dtype=np.float64)
    # A ball with some room, so that an anisotropic grid has about as many neighbours in it
    radius = 1.1 * (NEIGHBOURS * edges.prod() * 3 / (4 * math.pi)) ** (1 / 3)
    ends = np.floor(radius / edges).astype(int)
    axes = np.meshgrid(*(np.arange(-end, end + 1) for end in ends), indexing="ij")
    steps = np.stack(axes, axis=-1).reshape(-1, 3)
    lengths = _lengths(steps, spacing)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] <= radius][:NEIGHBOURS]
    return steps[order], lengths[order]


def _lengths(gaps: np.ndarray, spacing: Vector) -> np.ndarray:
    """Lengths in mm of steps between voxels, (N, 3)."""
    squares = (gaps * np.asarray(spacing, dtype=np.float64)) ** 2
    return np.sqrt(squares[:, 0] + squares[:, 1] + squares[:, 2])


PERCENT = 95


def border_of(mask_xyz: np.ndarray, origin: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    """Voxels of a mask with a face to the background, (N, 3), plus `origin`.

    Beyond the image is background. One voxel is its own border; an empty mask has none.
    """
    box = bounding_box(mask_xyz)
    if box is None:
        return np.zeros((0, 3), dtype=np.int64)
    padded_xyz = np.pad(box.apply(mask_xyz), 1)
    own = (slice(1, -1),) * 3
    within_xyz = padded_xyz[own].copy()
    for axis in range(3):
        for side in (slice(None, -2), slice(2, None)):
            within_xyz &= padded_xyz[(*own[:axis], side, *own[axis + 1 :])]
    return np.argwhere(padded_xyz[own] & ~within_xyz) + (np.array(box.start) + origin)


class BorderDistances:
    """Distances between two borders, both ways; neither may be empty."""

    def __init__(self, found: np.ndarray, reference: np.ndarray, spacing: Vector) -> None:
        self._there = nearest_distances(found, reference, spacing)
        self._back = nearest_distances(reference, found, spacing)

    def hd95(self) -> float:
        """The 95th percentile of both directions' distances, pooled."""
        return float(np.percentile(np.hstack((self._there, self._back)), PERCENT))

    def nsd(self, tolerance: float, epsilon: float = 0.0) -> float:
        """Normalised surface Dice: the shares of both borders that lie within `tolerance`, averaged.

        epsilon: added to the denominator.
        """
        near = np.mean(self._there <= tolerance) + np.mean(self._back <= tolerance)
        far = np.mean(self._there > tolerance) + np.mean(self._back > tolerance)
        return float(near / (near + far + epsilon))
