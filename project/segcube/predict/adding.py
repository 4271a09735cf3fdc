"""Sums of windows, in place; on the host slab by slab and on all cores."""

from __future__ import annotations

import numpy as np

from segcube.slabs import in_slabs
from segcube.types import Array


def add(sum_nkxyz: Array, others_nkxyz: Array) -> None:
    """Add windows (N, K, X, Y, Z) to others."""

    def add_slab(slab: slice) -> None:
        sum_nkxyz[:, :, slab] += others_nkxyz[:, :, slab]

    in_slabs(add_slab, sum_nkxyz[0, 0])


def add_weighted(sum_kxyz: Array, window_kxyz: Array, say_k: Array, factors_xyz: tuple[Array, Array]) -> None:
    """Add a window (K, X, Y, Z) times its channels' say and two factors of its voxels."""
    weight_xyz, share_xyz = factors_xyz
    if not isinstance(sum_kxyz, np.ndarray):
        sum_kxyz += window_kxyz * (weight_xyz * share_xyz) * say_k[:, None, None, None]
        return
    alike = len(set(say_k.tolist())) == 1

    def add_slab(slab: slice) -> None:
        factor_xyz = weight_xyz[slab] * share_xyz[slab]
        if alike:
            factor_xyz *= say_k[0]
        for channel, say in enumerate(say_k):
            added_xyz = window_kxyz[channel, slab] * factor_xyz
            if not alike:
                added_xyz *= say
            sum_kxyz[channel, slab] += added_xyz

    in_slabs(add_slab, window_kxyz[0])
