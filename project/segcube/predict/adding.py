"""Sums of windows, in place; on the host by our own kernel, or slab by slab in a few threads."""

from __future__ import annotations

import numpy as np

from segcube.backends.native import native_kernels
from segcube.backends.native_adding import add_window, takes
from segcube.slabs import in_slabs
from segcube.types import Array


def add(sum_nkxyz: Array, others_nkxyz: Array) -> None:
    """Add windows (N, K, X, Y, Z) to others."""
    kernels = native_kernels()
    if kernels is not None and _takes(sum_nkxyz, others_nkxyz):
        ones_k = np.ones(sum_nkxyz.shape[1], np.float32)
        for sum_kxyz, other_kxyz in zip(sum_nkxyz, others_nkxyz, strict=True):
            add_window(kernels, sum_kxyz, other_kxyz, ones_k)
        return

    def add_slab(slab: slice) -> None:
        sum_nkxyz[:, :, slab] += others_nkxyz[:, :, slab]

    in_slabs(add_slab, sum_nkxyz[0, 0])


def add_weighted(sum_kxyz: Array, window_kxyz: Array, say_k: Array, weight_xyz: Array) -> None:
    """Add a window (K, X, Y, Z) times its channels' say and the weight of its voxels."""
    kernels = native_kernels()
    if kernels is not None and _takes(sum_kxyz, window_kxyz, weight_xyz):
        add_window(kernels, sum_kxyz, window_kxyz, say_k, weight_xyz)
        return

    def add_slab(slab: slice) -> None:
        sum_kxyz[:, slab] += window_kxyz[:, slab] * weight_xyz[slab] * say_k[:, None, None, None]

    in_slabs(add_slab, window_kxyz[0])


def _takes(*arrays: Array) -> bool:
    return all(isinstance(array, np.ndarray) for array in arrays) and takes(*arrays)
