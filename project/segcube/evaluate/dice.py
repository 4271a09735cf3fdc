"""Overlap of two masks."""

from __future__ import annotations

import numpy as np


def dice(found_xyz: np.ndarray, reference_xyz: np.ndarray) -> float:
    """Twice the common voxels over the voxels of both: 1 for the same mask, 0 for no common voxel.

    Two empty masks give 1, one empty mask gives 0.
    """
    both = int(np.count_nonzero(found_xyz)) + int(np.count_nonzero(reference_xyz))
    if both == 0:
        return 1.0
    return 2 * int(np.count_nonzero(found_xyz & reference_xyz)) / both
