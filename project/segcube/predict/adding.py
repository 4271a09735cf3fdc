"""Sums of windows, in place; on the host by our own kernel, or slab by slab in a few threads."""

from __future__ import annotations

import numpy as np

from segcube.backends import Onto
from segcube.backends.native import native_kernels
from segcube.backends.native_adding import add_window, takes
from segcube.slabs import in_slabs
from segcube.types import Array


def add(sum_nkxyz: Array, others_nkxyz: Array) -> None:
    """Add windows (N, K, X, Y, Z) to others."""
    if not isinstance(sum_nkxyz, np.ndarray):
        sum_nkxyz += others_nkxyz
        return
    ones_k = np.ones(sum_nkxyz.shape[1])
    for sum_kxyz, other_kxyz in zip(sum_nkxyz, others_nkxyz, strict=True):
        if not _added_by_ours(Onto(sum_kxyz, ones_k), other_kxyz):
            _add_in_slabs(sum_kxyz, other_kxyz)


def _add_in_slabs(sum_kxyz: np.ndarray, other_kxyz: np.ndarray) -> None:
    def add_slab(slab: slice) -> None:
        sum_kxyz[:, slab] += other_kxyz[:, slab]

    in_slabs(add_slab, sum_kxyz[0])


def add_weighted(sum_kxyz: Array, window_kxyz: Array, say_k: Array, weight_xyz: Array) -> None:
    """Add a window (K, X, Y, Z) times its channels' say and the weight of its voxels."""
    if isinstance(sum_kxyz, np.ndarray) and _added_by_ours(Onto(sum_kxyz, say_k, weight_xyz), window_kxyz):
        return

    def add_slab(slab: slice) -> None:
        sum_kxyz[:, slab] += window_kxyz[:, slab] * weight_xyz[slab] * say_k[:, None, None, None]

    in_slabs(add_slab, window_kxyz[0])


def _added_by_ours(onto: Onto, window_kxyz: np.ndarray) -> bool:
    """Add by our own kernel; False where it cannot, and nothing is added."""
    kernels = native_kernels()
    if kernels is None or not takes(window_kxyz, onto):
        return False
    add_window(kernels, window_kxyz, onto)
    return True
