"""Where a branch's grid lies in the native one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segcube.preprocess.crop import Box
from segcube.preprocess.orient import Orientation
from segcube.preprocess.resample import Resampler
from segcube.types import Array, Shape


@dataclass(frozen=True)
class Placement:
    """The way from native to a branch's grid (turn, crop, resample), as far as it has to be gone back.

    shape: the native one. box: in the turned volume. output: from the branch's grid to the box's.
    """

    shape: Shape
    orientation: Orientation
    box: Box
    output: Resampler

    def restore(self, array_kxyz: Array, start: int, stop: int, fill: float | Sequence[float] = 0.0) -> Array:
        """Rows `start:stop` along native x of a branch's result, brought back to the native grid.

        array_kxyz: (K, *output.shape_in). fill: what stands outside the box, one value or one a channel.
        Returns (K, stop - start, Y, Z). Slabs side by side make up the whole.
        """
        axis = self.orientation.inverse[0]
        if self.orientation.flips[axis]:
            start, stop = self.shape[0] - stop, self.shape[0] - start
        low = min(max(self.box.start[axis], start), stop)
        high = max(min(self.box.stop[axis], stop), low)
        first = self.box.start[axis]
        inside = self.output.slab(array_kxyz, axis, low - first, high - first)
        place = Box(_with(self.box.start, axis, low - start), _with(self.box.stop, axis, high - start))
        full = _with(self.orientation.reorder(self.shape), axis, stop - start)
        return self.orientation.undo(place.undo(inside, full, fill))


def _with(values: Shape, axis: int, value: int) -> Shape:
    x, y, z = (value if index == axis else other for index, other in enumerate(values))
    return x, y, z
