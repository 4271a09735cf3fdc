"""Distances from one set of points to another, both on a grid."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from segcube.types import Vector


def nearest_distances(points: np.ndarray, others: np.ndarray, spacing: Vector) -> np.ndarray:
    """Distance in mm from each point to the nearest of the others.

    points, others: (N, 3) voxel coordinates, whole numbers. inf for each point when there are no others;
    empty for no points.
    """
    if not len(others) or not len(points):
        return np.full(len(points), np.inf)
    distances = np.zeros(len(points))
    apart = np.flatnonzero(~_among(points, others))
    steps = np.asarray(spacing, dtype=np.float64)
    _, nearest = KDTree(others * steps, balanced_tree=False, compact_nodes=False).query(points[apart] * steps)
    # Anew from whole steps: the tree subtracts rounded products, which a tolerance's edge would feel.
    gaps = (points[apart] - others[nearest]) * steps
    gaps *= gaps
    distances[apart] = np.sqrt(gaps[:, 0] + gaps[:, 1] + gaps[:, 2])
    return distances


def _among(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which points are among the others: bool, one a point."""
    low = np.minimum(points.min(axis=0), others.min(axis=0))
    high = np.maximum(points.max(axis=0), others.max(axis=0))
    there_xyz = np.zeros(high - low + 1, dtype=bool)
    there_xyz[tuple((others - low).T)] = True
    return there_xyz[tuple((points - low).T)]
