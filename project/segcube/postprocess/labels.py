"""Rules that act on label maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcube.postprocess.components import largest_component
from segcube.submission.rules import Connectivity


def keep_largest(
    labels_xyz: np.ndarray, values: Sequence[int], background: int, connectivity: Connectivity
) -> np.ndarray:
    """Turn all but the largest component of labels, taken together, into background.

    Labels that are absent stay so.
    """
    mask_xyz = np.isin(labels_xyz, values)
    lesser_xyz = mask_xyz & ~largest_component(mask_xyz, connectivity)
    return np.where(lesser_xyz, labels_xyz.dtype.type(background), labels_xyz)


def replace_small(labels_xyz: np.ndarray, value: int, other: int, below: int) -> np.ndarray:
    """Turn a label of fewer voxels than `below` in the whole map into another."""
    mask_xyz = labels_xyz == value
    if np.count_nonzero(mask_xyz) >= below:
        return labels_xyz
    return np.where(mask_xyz, labels_xyz.dtype.type(other), labels_xyz)
