"""Grow a mask by its 18 neighbours, eight voxels at a time."""

from __future__ import annotations

import numpy as np


def dilated(mask_xyz: np.ndarray, steps: int) -> np.ndarray:
    """Grow a mask by steps of its 18 neighbours (faces and edges); the image's end stops it.

    As scipy's binary_dilation with generate_binary_structure(3, 2), many times as fast: voxels are bits of
    one long row, along which a neighbour on any axis is a shift. An empty mask stays empty.
    """
    if steps == 0:
        return mask_xyz
    x, y, z = mask_xyz.shape
    # A spare voxel ends each row along z, a spare row each plane: what grows over an end falls there
    bits_xyz = np.zeros((x, y + 1, z // 8 + 1), dtype=np.uint8)
    bits_xyz[:, :y, : (z + 7) // 8] = np.packbits(mask_xyz, axis=2)
    row, plane = bits_xyz.shape[2], bits_xyz.shape[1] * bits_xyz.shape[2]
    used = np.uint8(0xFF00 >> z % 8 & 0xFF)
    for _ in range(steps):
        bits = bits_xyz.ravel()
        along_x, along_y = _grown(bits, plane), _grown(bits, row)
        grown = _grown(along_x, row)
        _grow_z(along_x, grown)
        _grow_z(along_y, grown)
        bits_xyz = grown.reshape(bits_xyz.shape)
        bits_xyz[:, y] = 0
        bits_xyz[..., -1] &= used
    return np.unpackbits(bits_xyz[:, :y], axis=2, count=z).view(bool)


def _grown(bits: np.ndarray, stride: int) -> np.ndarray:
    """Grown by the neighbours that lie whole bytes away."""
    grown = bits.copy()
    grown[stride:] |= bits[:-stride]
    grown[:-stride] |= bits[stride:]
    return grown


def _grow_z(bits: np.ndarray, grown: np.ndarray) -> None:
    """Add the neighbours along z; the first voxel of a byte is its highest bit."""
    grown |= bits << 1
    grown |= bits >> 1
    grown[:-1] |= bits[1:] >> 7
    grown[1:] |= bits[:-1] << 7
