"""How often the windows of a plan count each voxel, made slab by slab: no volume of it is ever held."""

from __future__ import annotations

from collections.abc import Callable
from operator import imul, itruediv

from segcube.predict.windows import WindowPlan
from segcube.preprocess import array_namespace
from segcube.slabs import in_slabs
from segcube.types import Array


def multiply_by_cover(sum_kxyz: Array, plan: WindowPlan, weight_xyz: Array) -> None:
    """Multiply a sum of the plan's grid by the windows' weights at each voxel, in place.

    weight_xyz: the plan's, where the sum lies. Where no window lies the sum stays as it is.
    """
    _scale(imul, sum_kxyz, plan, weight_xyz)


def divide_by_cover(sum_kxyz: Array, plan: WindowPlan, weight_xyz: Array) -> None:
    """Undo `multiply_by_cover`: a sum of weighted windows becomes their mean."""
    _scale(itruediv, sum_kxyz, plan, weight_xyz)


def _scale(
    change: Callable[[Array, Array], Array], sum_kxyz: Array, plan: WindowPlan, weight_xyz: Array
) -> None:
    def scale_slab(slab: slice) -> None:
        planes_kxyz = sum_kxyz[:, slab]
        change(planes_kxyz, _cover(planes_kxyz[0], slab.start, plan, weight_xyz))

    in_slabs(scale_slab, sum_kxyz[0])


def _cover(planes_xyz: Array, first: int, plan: WindowPlan, weight_xyz: Array) -> Array:
    """The sum of the windows' weights in planes from `first` on; 1 where no window lies."""
    cover_xyz = array_namespace(planes_xyz).zeros_like(planes_xyz)
    past = first + cover_xyz.shape[0]
    for start in plan.starts:
        (x, y, z), window = plan.in_grid(start), plan.in_window(start)
        above, below = max(x.start, first), min(x.stop, past)
        if above < below:
            own = slice(above - start[0], below - start[0])
            cover_xyz[above - first : below - first, y, z] += weight_xyz[(own, *window[1:])]
    cover_xyz[cover_xyz == 0] = 1
    return cover_xyz
