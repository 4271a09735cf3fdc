"""Where a branch's grid lies in the native one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segcube.core import Array, Box, Shape
from segcube.transforms.orient import Orientation
from segcube.transforms.resample import Resampler


@dataclass(frozen=True)
class Placement:
    """The way from native to a branch's grid (turn, crop, resample), as far as it has to be gone back.

    shape: the native one. box: in the turned volume. output: from the branch's grid to the box's.
    """

    shape: Shape
    orientation: Orientation
    box: Box
    output: Resampler

    @property
    def native_box(self) -> Box:
        """The box in the native volume."""
        return self.orientation.undo_box(self.box, self.shape)

    def restore(self, array_kxyz: Array, wanted: Box, fill: float | Sequence[float] = 0.0) -> Array:
        """A branch's result in a box of the native grid, at the cost of its rows along native x alone.

        array_kxyz: (K, *output.shape_in). fill: what stands outside the branch's box, one value or one a
        channel. Returns (K, *wanted.shape). Boxes side by side make up the whole.
        """
        turned = self.orientation.apply_box(wanted, self.shape)
        shared = turned.meet(self.box)
        axis = self.orientation.inverse[0]
        own = shared.inside(self.box)
        rows_kxyz = self.output.slab(array_kxyz, axis, own.start[axis], own.stop[axis])
        places = list(own.slices)
        places[axis] = slice(None)
        values_kxyz = rows_kxyz[(..., *places)]
        if shared != turned:
            values_kxyz = shared.inside(turned).undo(values_kxyz, turned.shape, fill)
        return self.orientation.undo(values_kxyz)
