"""Grow a mask."""

from __future__ import annotations

import numpy as np

from segcube.preprocess import mask_box
from segcube.types import Vector

ROUNDING = 1e-6


def dilate(mask_xyz: np.ndarray, radius_voxels: Vector) -> np.ndarray:
    """Grow a mask by an ellipsoid: a voxel joins within `radius_voxels` of it, border included.

    radius_voxels: the half axes along x, y and z; an axis of 0 does not grow. Equal ones make the ball
    dx^2 + dy^2 + dz^2 <= r^2. An empty mask stays empty. A new mask.
    """
    grown_xyz = mask_xyz.copy()
    box = mask_box(mask_xyz, radius_voxels)
    if box is None or max(radius_voxels) == 0:
        return grown_xyz
    # Only where it is needed, as in `axis_matrix`
    from scipy import ndimage

    # Distances in radii: along an axis that does not grow, the next voxel is already too far.
    steps = [1 / radius if radius > 0 else 2.0 for radius in radius_voxels]
    distance_xyz = ndimage.distance_transform_edt(~box.apply(mask_xyz), sampling=steps)
    grown_xyz[box.slices] = np.asarray(distance_xyz) <= 1 + ROUNDING
    return grown_xyz
