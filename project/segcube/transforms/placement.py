"""The position of a branch's grid within the native one, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segcube.core import Array, Box, Shape
from segcube.transforms.orient import Orientation
from segcube.transforms.resample import Resampler


@dataclass(frozen=True)
class Placement:
    """What is needed to restore a branch's output: the inverse of orient, crop and resample.

    shape: the native one. box: in the reoriented volume. output: from the branch's grid to the box's.
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
        """Restore a branch's output in a box of the native grid; only its rows along native x are computed.

        array_kxyz: (K, *output.shape_in). fill: the value outside the branch's box, one or one a
        channel. Returns (K, *wanted.shape).
        """
        turned = self.orientation.apply_box(wanted, self.shape)
        shared = turned.intersection(self.box)
        axis = self.orientation.inverse[0]
        inside = shared.relative_to(self.box)
        rows_kxyz = self.output.slab(array_kxyz, axis, inside.start[axis], inside.stop[axis])
        places = list(inside.slices)
        places[axis] = slice(None)
        values_kxyz = rows_kxyz[(..., *places)]
        if shared != turned:
            values_kxyz = shared.relative_to(turned).undo(values_kxyz, turned.shape, fill)
        return self.orientation.undo(values_kxyz)
