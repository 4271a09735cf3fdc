"""Boxes of voxels: cut them out of volumes and put them back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import add

import array_api_compat
import numpy as np

from segcube.core.arrays import array_namespace, to_host
from segcube.core.types import Array, Shape, Vector


@dataclass(frozen=True)
class Box:
    """A box of voxels, from `start` up to but without `stop`, in the array's own axis order."""

    start: Shape
    stop: Shape

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        x, y, z = (stop - start for start, stop in zip(self.start, self.stop, strict=True))
        return x, y, z

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index of three axes."""
        x, y, z = (slice(start, stop) for start, stop in zip(self.start, self.stop, strict=True))
        return x, y, z

    def moved(self, by: Sequence[int]) -> Box:
        """The same box, so many voxels further along each axis."""
        return Box(_added(self.start, by), _added(self.stop, by))

    def inside(self, outer: Box) -> Box:
        """The same box as the corner of another one sees it."""
        return self.moved([-start for start in outer.start])

    def slab(self, axis: int, start: int, stop: int) -> Box:
        """The part from `start` up to but without `stop` along one axis, counted from the box's corner."""
        first, last = list(self.start), list(self.stop)
        first[axis], last[axis] = self.start[axis] + start, self.start[axis] + stop
        return Box(_three(first), _three(last))

    def meet(self, other: Box) -> Box:
        """What two boxes share; without a voxel where they do not touch."""
        start = _three(map(max, self.start, other.start))
        return Box(start, _three(map(max, start, map(min, self.stop, other.stop))))

    def join(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(_three(map(min, self.start, other.start)), _three(map(max, self.stop, other.stop)))

    def apply(self, array_xyz: Array) -> Array:
        """Cut the box out of the last three axes: a view."""
        return array_xyz[(..., *self.slices)]

    def undo(self, array_xyz: Array, full_shape: Shape, fill: float | Sequence[float]) -> Array:
        """Put the box back into a volume of `full_shape` that is `fill` elsewhere.

        fill: one value, or one for each entry of the leading axis.
        """
        xp = array_namespace(array_xyz)
        device = array_api_compat.device(array_xyz)
        values = xp.asarray(fill, dtype=array_xyz.dtype, device=device)
        full = xp.empty((*array_xyz.shape[:-3], *full_shape), dtype=array_xyz.dtype, device=device)
        full[...] = xp.reshape(values, (-1, 1, 1, 1)) if values.ndim else values
        full[(..., *self.slices)] = array_xyz
        return full


def _added(shape: Shape, by: Sequence[int]) -> Shape:
    return _three(map(add, shape, by))


def _three(values: Iterable[int]) -> Shape:
    x, y, z = values
    return x, y, z


def mask_box(mask_xyz: Array, margin_voxels: Vector = (0, 0, 0)) -> Box | None:
    """The smallest box around a mask, grown by a margin and clipped to the volume.

    margin_voxels: along each axis; parts of a voxel count as a whole one. None for an empty mask.
    """
    xp = array_namespace(mask_xyz)
    start, stop = [0, 0, 0], [0, 0, 0]
    for axis, size in enumerate(mask_xyz.shape):
        others = tuple(other for other in range(3) if other != axis)
        rows = np.flatnonzero(to_host(xp.any(mask_xyz, axis=others)))
        if not len(rows):
            return None
        margin = math.ceil(margin_voxels[axis])
        start[axis] = max(int(rows[0]) - margin, 0)
        stop[axis] = min(int(rows[-1]) + 1 + margin, size)
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
