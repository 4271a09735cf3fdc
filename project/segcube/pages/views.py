"""The planes of a scan in radiological convention: the patient's right is on the left of the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.core import Box, Grid, Vector, bounding_box
from segcube.transforms import Orientation, plan_orientation

DIRECTIONS = "LPI"
"""Where columns and rows of a picture lead to: left, posterior, inferior."""
MARGIN_MM = 10.0
"""Room for the letters at the edges."""


@dataclass(frozen=True)
class Plane:
    """A plane through a volume whose axes lead left, posterior and inferior."""

    name: str
    axis: int
    """The axis that is at right angles to the plane."""
    letters: tuple[str, str, str, str]
    """The directions at the left, right, top and bottom edge."""

    @property
    def axes(self) -> tuple[int, int]:
        """The axes along a picture's columns and rows."""
        across, down = (axis for axis in range(3) if axis != self.axis)
        return across, down

    def section(self, array_xyz: np.ndarray, index: int) -> np.ndarray:
        """Return a plane of a turned volume, (rows, columns)."""
        return np.take(array_xyz, index, self.axis).T

    def size_mm(self, view: View) -> tuple[float, float]:
        """Return the width and the height of the plane in a view."""
        across, down = self.axes
        return view.size_mm[across], view.size_mm[down]


PLANES = (
    Plane("axial", 2, ("R", "L", "A", "P")),
    Plane("coronal", 1, ("R", "L", "S", "I")),
    Plane("sagittal", 0, ("A", "P", "S", "I")),
)


@dataclass(frozen=True)
class View:
    """The part of a volume that is drawn, and how it is turned towards left, posterior and inferior."""

    orientation: Orientation
    box: Box
    """In native voxels."""
    spacing: Vector
    """Millimetres, of the turned axes."""

    def turned(self, array_xyz: np.ndarray) -> np.ndarray:
        """Crop and turn a volume, whose axes then lead left, posterior and inferior; a view."""
        return self.orientation.apply(self.box.apply(array_xyz))

    @property
    def planes(self) -> tuple[Plane, ...]:
        """The planes to draw: of a volume of one slice, that of the slice alone."""
        lengths = self.orientation.reorder(self.box.shape)
        return tuple(plane for plane in PLANES if lengths[plane.axis] == 1) or PLANES

    @property
    def size_mm(self) -> Vector:
        """The lengths of the turned axes."""
        sides = zip(self.orientation.reorder(self.box.shape), self.spacing, strict=True)
        x, y, z = (count * spacing for count, spacing in sides)
        return x, y, z


def plan_view(grid: Grid, mask_xyz: np.ndarray, margin_mm: float = MARGIN_MM) -> View:
    """Plan to draw the box around a mask with a margin, or the whole volume where the mask is empty.

    An oblique axis counts as the direction closest to it.
    """
    orientation = plan_orientation(grid.affine, DIRECTIONS, "xyz")
    x, y, z = (margin_mm / spacing for spacing in grid.spacing)
    box = bounding_box(mask_xyz, (x, y, z)) or Box((0, 0, 0), grid.shape)
    return View(orientation, box, orientation.reorder(grid.spacing))
