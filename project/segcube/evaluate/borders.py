"""Border voxels and the distances between them: the rule of medpy, which nnU-Net and panoptica share."""

from __future__ import annotations

import numpy as np

from segcube.evaluate.distances import nearest_distances
from segcube.preprocess import mask_box
from segcube.types import Vector

PERCENT = 95


def border_of(mask_xyz: np.ndarray, origin: tuple[int, int, int] = (0, 0, 0)) -> np.ndarray:
    """Voxels of a mask with a face to the outside, (N, 3), plus `origin`; the image's end is outside.

    One voxel is its own border; an empty mask has none.
    """
    box = mask_box(mask_xyz)
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

        epsilon: what an organiser's script adds to the denominator.
        """
        near = np.mean(self._there <= tolerance) + np.mean(self._back <= tolerance)
        far = np.mean(self._there > tolerance) + np.mean(self._back > tolerance)
        return float(near / (near + far + epsilon))
