"""Scores of whole masks by counting voxels."""

from __future__ import annotations

import sys

import numpy as np

TINY = sys.float_info.min


def dice(found_xyz: np.ndarray, reference_xyz: np.ndarray) -> float:
    """Twice the common voxels over the voxels of both: 1 for the same mask, 0 for no common voxel.

    Two empty masks give 1, one empty mask gives 0; one voxel against itself gives 1.
    """
    both = int(np.count_nonzero(found_xyz)) + int(np.count_nonzero(reference_xyz))
    if both == 0:
        return 1.0
    return 2 * int(np.count_nonzero(found_xyz & reference_xyz)) / both


def sensitivity_specificity(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, outside: int
) -> tuple[float, float]:
    """Share of the reference that was found, and share of the rest that was left alone.

    outside: background voxels of the image that the arrays leave out. Two empty masks give 1 and 1, an empty
    prediction 0 and 1, an empty reference 0 and less than 1.

    Numbered parts give what 2024's scripts report: they hand over the numbers in place of a mask, so that a
    voxel weighs as its number, only those numbered 1 on both sides are hits, and what is numbered 2 and up
    counts as background as well.
    """
    found, reference = int(found_xyz.sum(dtype=np.int64)), int(reference_xyz.sum(dtype=np.int64))
    found_ones_xyz, reference_ones_xyz = found_xyz == 1, reference_xyz == 1
    hits = int(np.count_nonzero(found_ones_xyz & reference_ones_xyz))
    rest = found_xyz.size - int(np.count_nonzero(found_ones_xyz | reference_ones_xyz)) + outside
    sensitivity = 1.0 if found == 0 == reference else hits / (hits + (reference - hits) + TINY)
    return sensitivity, rest / (rest + (found - hits) + TINY)
