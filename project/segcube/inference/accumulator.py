"""The accumulator of windows, changed in place: on the host by the native kernels, or slab by slab."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from segcube.backends import AccumulatorView
from segcube.backends.native import add_to_accumulator
from segcube.core import Array, array_namespace, for_each_slab
from segcube.inference.windows import Slices, WindowPlan


def add(sum_nkxyz: Array, others_nkxyz: Array) -> None:
    """Add outputs (N, K, X, Y, Z) to others of the same windows."""
    if not isinstance(sum_nkxyz, np.ndarray):
        sum_nkxyz += others_nkxyz
        return
    ones_k = np.ones(sum_nkxyz.shape[1])
    for sum_kxyz, other_kxyz in zip(sum_nkxyz, others_nkxyz, strict=True):
        if add_to_accumulator(other_kxyz, AccumulatorView(sum_kxyz, ones_k)):
            continue

        def add_slab(slab: slice, to: np.ndarray = sum_kxyz, other: np.ndarray = other_kxyz) -> None:
            to[:, slab] += other[:, slab]

        for_each_slab(add_slab, sum_kxyz[0])


def add_weighted(window_kxyz: Array, channel_weights: Array, importance_xyz: Array, sum_kxyz: Array) -> None:
    """Add a window (K, X, Y, Z) to an accumulator of its size, times its channels' weights and importance."""
    if isinstance(sum_kxyz, np.ndarray):
        view = AccumulatorView(sum_kxyz, channel_weights, importance_xyz)
        if add_to_accumulator(window_kxyz, view):
            return

    def add_slab(slab: slice) -> None:
        weights = channel_weights[:, None, None, None]
        sum_kxyz[:, slab] += window_kxyz[:, slab] * importance_xyz[slab] * weights

    for_each_slab(add_slab, window_kxyz[0])


def scale_by_importance(
    scale: Callable[[Array, Array], Array],
    sum_kxyz: Array,
    plan: WindowPlan,
    importance_xyz: Array,
    first: int = 0,
) -> None:
    """Multiply or divide an accumulator by the windows' summed importance, in place.

    scale: imul, or itruediv, which makes a sum the windows' weighted mean. sum_kxyz: of the planes from
    `first` on along the grid's first axis; it stays as it is where no window lies. importance_xyz: the
    plan's, where the accumulator is.
    """
    places = [(plan.in_grid(start), plan.in_window(start)) for start in plan.starts]

    def scale_slab(slab: slice) -> None:
        planes_kxyz = sum_kxyz[:, slab]
        scale(planes_kxyz, _summed_importance(planes_kxyz[0], first + slab.start, places, importance_xyz))

    for_each_slab(scale_slab, sum_kxyz[0])


def _summed_importance(
    planes_xyz: Array, first: int, places: Sequence[tuple[Slices, Slices]], importance_xyz: Array
) -> Array:
    """The windows' importance summed over planes from `first` on, (*planes); 1 where no window lies.

    places: of each window, in the grid and in the window.
    """
    summed_xyz = array_namespace(planes_xyz).zeros_like(planes_xyz)
    past = first + summed_xyz.shape[0]
    for (x, y, z), (inside, *others) in places:
        start, stop = max(x.start, first), min(x.stop, past)
        if start < stop:
            before = inside.start - x.start
            rows_xyz = importance_xyz[(slice(start + before, stop + before), *others)]
            summed_xyz[start - first : stop - first, y, z] += rows_xyz
    summed_xyz[summed_xyz == 0] = 1
    return summed_xyz
