"""How often the windows of a plan count each voxel, made slab by slab: no volume of it is ever held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import imul, itruediv

from segcube.predict.windows import Slices, WindowPlan
from segcube.preprocess import array_namespace
from segcube.slabs import in_slabs
from segcube.types import Array


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
