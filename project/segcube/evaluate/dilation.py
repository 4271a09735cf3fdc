"""Grow a mask by its 18 neighbours, eight voxels at a time."""

from __future__ import annotations

import numpy as np


def dilated(mask_xyz: np.ndarray, steps: int) -> np.ndarray:
    """Grow a mask by steps of its 18 neighbours (faces and edges); the image's end stops it.

    As scipy's binary_dilation with generate_binary_structure(3, 2), many times as fast: voxels along z are
    bits of a byte. An empty mask stays empty.
    """
    if steps == 0:
        return mask_xyz
    packed_xyz = np.packbits(mask_xyz, axis=2)
    for _ in range(steps):
        along_x, along_y = _grown(packed_xyz, 0), _grown(packed_xyz, 1)
        packed_xyz = _grown(along_x, 1)
        packed_xyz |= _grown_z(along_x)
        packed_xyz |= _grown_z(along_y)
    return np.unpackbits(packed_xyz, axis=2, count=mask_xyz.shape[2]).view(bool)


def _grown(packed_xyz: np.ndarray, axis: int) -> np.ndarray:
    grown_xyz = packed_xyz.copy()
    from_xyz, to_xyz = np.moveaxis(packed_xyz, axis, 0), np.moveaxis(grown_xyz, axis, 0)
    to_xyz[1:] |= from_xyz[:-1]
    to_xyz[:-1] |= from_xyz[1:]
    return grown_xyz


def _grown_z(packed_xyz: np.ndarray) -> np.ndarray:
    grown_xyz = packed_xyz | (packed_xyz << 1) | (packed_xyz >> 1)
    # The first voxel of a byte is its highest bit
    grown_xyz[..., :-1] |= packed_xyz[..., 1:] >> 7
    grown_xyz[..., 1:] |= packed_xyz[..., :-1] << 7
    return grown_xyz
