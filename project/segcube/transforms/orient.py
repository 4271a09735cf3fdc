"""Reorient volumes to the axis order and directions that a model was trained on, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from segcube.core import Array, Box, CaseError, Code, Shape, array_namespace

Permutation = tuple[int, int, int]
Flips = tuple[bool, bool, bool]


@dataclass(frozen=True)
class Orientation:
    """A permutation of the three axes, then flips; exactly invertible.

    Axis k of the result is native axis `permutation[k]`, flipped where `flips[k]`.
    """

    permutation: Permutation = (0, 1, 2)
    flips: Flips = (False, False, False)

    def apply(self, array_xyz: Array) -> Array:
        """Reorient the last three axes from native to the model's; leading axes stay. May return a view."""
        return _flip(_permute(array_xyz, self.permutation), self.flips)

    def undo(self, array: Array) -> Array:
        """Reorient the last three axes back to native x, y, z. May return a view."""
        return _permute(_flip(array, self.flips), self.inverse)

    def apply_box(self, box: Box, shape: Shape) -> Box:
        """A box of a native volume of `shape`, in the reoriented one."""
        return _flipped_box(Box(self.reorder(box.start), self.reorder(box.stop)), self, shape)

    def undo_box(self, box: Box, shape: Shape) -> Box:
        """A box of the reoriented volume, in the native one of `shape`."""
        flipped = _flipped_box(box, self, shape)
        back = Orientation(self.inverse)
        return Box(back.reorder(flipped.start), back.reorder(flipped.stop))

    def reorder(self, values_xyz: Sequence[Any]) -> tuple[Any, Any, Any]:
        """A shape, a spacing or the like in the model's axis order."""
        first, second, third = (values_xyz[axis] for axis in self.permutation)
        return first, second, third

    @property
    def inverse(self) -> Permutation:
        """For each native axis, the model's axis that it becomes."""
        x, y, z = (self.permutation.index(axis) for axis in range(3))
        return x, y, z


def plan_orientation(affine: np.ndarray, orientation: str, axes: str) -> Orientation:
    """Plan the reorientation from a file's axes to a model's.

    affine: (4, 4), voxel to RAS+ millimetre. orientation: native, or the three directions of the model's
    axes, such as RAS; an oblique axis counts as the direction that nibabel's io_orientation finds closest.
    axes: the order of the result, such as zyx for models trained on (z, y, x).
    Raises CaseError (BAD_AFFINE) where an axis of the affine has no length.
    """
    plan = Orientation() if orientation == "native" else _towards(affine, orientation)
    first, second, third = ("xyz".index(axis) for axis in axes)
    return Orientation(
        (plan.permutation[first], plan.permutation[second], plan.permutation[third]),
        (plan.flips[first], plan.flips[second], plan.flips[third]),
    )


def _towards(affine: np.ndarray, orientation: str) -> Orientation:
    found = io_orientation(affine)
    if not np.isfinite(found).all():
        raise CaseError(Code.BAD_AFFINE, "an axis of the affine has no length", expected="three directions")
    turn = ornt_transform(found, axcodes2ornt(tuple(orientation)))
    sources = np.argsort(turn[:, 0])
    x, y, z = (int(axis) for axis in sources)
    a, b, c = (bool(direction < 0) for direction in turn[sources, 1])
    return Orientation((x, y, z), (a, b, c))


def _flipped_box(box: Box, orientation: Orientation, shape: Shape) -> Box:
    """A box in the model's axes, counted from the other end along those that are flipped."""
    sides = zip(box.start, box.stop, orientation.reorder(shape), orientation.flips, strict=True)
    x, y, z = ((size - stop, size - start) if flip else (start, stop) for start, stop, size, flip in sides)
    return Box((x[0], y[0], z[0]), (x[1], y[1], z[1]))


def _permute(array: Array, permutation: Permutation) -> Array:
    xp = array_namespace(array)
    lead = array.ndim - 3
    return xp.permute_dims(array, (*range(lead), *(lead + axis for axis in permutation)))


def _flip(array: Array, flips: Flips) -> Array:
    xp = array_namespace(array)
    axes = tuple(axis - 3 for axis, flipped in enumerate(flips) if flipped)
    return xp.flip(array, axis=axes) if axes else array
