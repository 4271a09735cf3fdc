"""Boxes of voxels: cut them out of volumes and paste them back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import add

import array_api_compat
import numpy as np

from segcube.core.arrays import array_namespace, to_numpy
from segcube.core.types import Array, Shape, Vector


@dataclass(frozen=True)
class Box:
    """A box of voxels, from `start` up to but excluding `stop`, in the array's own axis order."""

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

    def shifted(self, by: Sequence[int]) -> Box:
        """Return the box shifted by a number of voxels along each axis."""
        return Box(_three(map(add, self.start, by)), _three(map(add, self.stop, by)))

    def relative_to(self, outer: Box) -> Box:
        """Return the box in the coordinates of an array that was cut out with `outer`."""
        return self.shifted([-start for start in outer.start])

    def slab(self, axis: int, start: int, stop: int) -> Box:
        """Return the part from `start` up to but excluding `stop` along one axis, relative to the box."""
        first, last = list(self.start), list(self.stop)
        first[axis], last[axis] = self.start[axis] + start, self.start[axis] + stop
        return Box(_three(first), _three(last))

    def intersection(self, other: Box) -> Box:
        """Return the box of voxels that both contain; one axis has length 0 where they are disjoint."""
        start = _three(map(max, self.start, other.start))
        return Box(start, _three(map(max, start, map(min, self.stop, other.stop))))

    def union(self, other: Box) -> Box:
        """Return the smallest box around both."""
        return Box(_three(map(min, self.start, other.start)), _three(map(max, self.stop, other.stop)))

    def apply(self, array_xyz: Array) -> Array:
        """Cut the box out of the last three axes; returns a view."""
        return array_xyz[(..., *self.slices)]

    def undo(self, array_xyz: Array, full_shape: Shape, fill: float | Sequence[float]) -> Array:
        """Paste a cut-out array into a new volume of `full_shape` that is `fill` elsewhere.

        fill: one value, or one for each entry of the leading axis.
        """
        xp = array_namespace(array_xyz)
        device = array_api_compat.device(array_xyz)
        values = xp.asarray(fill, dtype=array_xyz.dtype, device=device)
        full = xp.empty((*array_xyz.shape[:-3], *full_shape), dtype=array_xyz.dtype, device=device)
        full[...] = xp.reshape(values, (-1, 1, 1, 1)) if values.ndim else values
        full[(..., *self.slices)] = array_xyz
        return full


def bounding_box(mask_xyz: Array, margin_voxels: Vector = (0, 0, 0)) -> Box | None:
    """Return the smallest box around a mask, grown by a margin and clipped to the volume.

    margin_voxels: along each axis, rounded up. None for an empty mask.
    """
    xp = array_namespace(mask_xyz)
    start, stop = [0, 0, 0], [0, 0, 0]
    for axis, size in enumerate(mask_xyz.shape):
        others = tuple(other for other in range(3) if other != axis)
        rows = np.flatnonzero(to_numpy(xp.any(mask_xyz, axis=others)))
        if not len(rows):
            return None
        margin = math.ceil(margin_voxels[axis])
        start[axis] = max(int(rows[0]) - margin, 0)
        stop[axis] = min(int(rows[-1]) + 1 + margin, size)
    return Box(_three(start), _three(stop))


def _three(values: Iterable[int]) -> Shape:
    x, y, z = values
    return x, y, z
