"""Sums of windows, in place; on the host by our own kernel, or slab by slab in a few threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import imul, itruediv

import numpy as np

from segcube.backends import AccumulatorView
from segcube.backends.native import add_window, native_kernels, takes
from segcube.core import Array, array_namespace, in_slabs
from segcube.inference.windows import Slices, WindowPlan


def multiply_by_cover(sum_kxyz: Array, plan: WindowPlan, weight_xyz: Array) -> None:
    """Multiply a sum of the plan's grid by the windows' weights at each voxel, in place.

    weight_xyz: the plan's, where the sum lies. Where no window lies the sum stays as it is.
    """
    _scale(imul, sum_kxyz, plan, weight_xyz)


def divide_by_cover(sum_kxyz: Array, plan: WindowPlan, weight_xyz: Array, first: int = 0) -> None:
    """Divide a sum of weighted windows by their weights at each voxel, in place: it becomes their mean.

    sum_kxyz: of the planes from `first` on along the grid's first axis; all else as `multiply_by_cover`.
    """
    _scale(itruediv, sum_kxyz, plan, weight_xyz, first)


def _scale(
    change: Callable[[Array, Array], Array],
    sum_kxyz: Array,
    plan: WindowPlan,
    weight_xyz: Array,
    first: int = 0,
) -> None:
    places = [(plan.in_grid(start), plan.in_window(start)) for start in plan.starts]

    def scale_slab(slab: slice) -> None:
        planes_kxyz = sum_kxyz[:, slab]
        change(planes_kxyz, _cover(planes_kxyz[0], first + slab.start, places, weight_xyz))

    in_slabs(scale_slab, sum_kxyz[0])


def _cover(
    planes_xyz: Array, first: int, places: Sequence[tuple[Slices, Slices]], weight_xyz: Array
) -> Array:
    """The sum of the windows' weights in planes from `first` on; 1 where no window lies.

    places: of each window, in the grid and in the weights.
    """
    cover_xyz = array_namespace(planes_xyz).zeros_like(planes_xyz)
    past = first + cover_xyz.shape[0]
    for (x, y, z), (inside, *others) in places:
        start, stop = max(x.start, first), min(x.stop, past)
        if start < stop:
            before = inside.start - x.start
            weighed_xyz = weight_xyz[(slice(start + before, stop + before), *others)]
            cover_xyz[start - first : stop - first, y, z] += weighed_xyz
    cover_xyz[cover_xyz == 0] = 1
    return cover_xyz


def add(sum_nkxyz: Array, others_nkxyz: Array) -> None:
    """Add windows (N, K, X, Y, Z) to others."""
    if not isinstance(sum_nkxyz, np.ndarray):
        sum_nkxyz += others_nkxyz
        return
    ones_k = np.ones(sum_nkxyz.shape[1])
    for sum_kxyz, other_kxyz in zip(sum_nkxyz, others_nkxyz, strict=True):
        if not _added_by_ours(AccumulatorView(sum_kxyz, ones_k), other_kxyz):
            _add_in_slabs(sum_kxyz, other_kxyz)


def _add_in_slabs(sum_kxyz: np.ndarray, other_kxyz: np.ndarray) -> None:
    def add_slab(slab: slice) -> None:
        sum_kxyz[:, slab] += other_kxyz[:, slab]

    in_slabs(add_slab, sum_kxyz[0])


def add_weighted(sum_kxyz: Array, window_kxyz: Array, channel_weights: Array, weight_xyz: Array) -> None:
    """Add a window (K, X, Y, Z) times its channels' say and the weight of its voxels."""
    if isinstance(sum_kxyz, np.ndarray) and _added_by_ours(
        AccumulatorView(sum_kxyz, channel_weights, weight_xyz), window_kxyz
    ):
        return

    def add_slab(slab: slice) -> None:
        sum_kxyz[:, slab] += window_kxyz[:, slab] * weight_xyz[slab] * channel_weights[:, None, None, None]

    in_slabs(add_slab, window_kxyz[0])


def _added_by_ours(onto: AccumulatorView, window_kxyz: np.ndarray) -> bool:
    """Add by our own kernel; False where it cannot, and nothing is added."""
    kernels = native_kernels()
    if kernels is None or not takes(window_kxyz, onto):
        return False
    add_window(kernels, window_kxyz, onto)
    return True
