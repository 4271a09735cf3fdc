"""Describe how the grid of a label map differs from that of its case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from nibabel.orientations import aff2axcodes

from segcube.core import Grid
from segcube.formats.nifti.affine import corner_distance_mm, same_grid

DIRECTION_TOLERANCE = 1e-3
"""If the 3 x 3 parts of two affines differ by less, the origin is the difference to report."""
FIELD_OF_VIEW_TOLERANCE = 0.02
"""Relative difference of two fields of view that count as equal."""


@dataclass(frozen=True)
class GridDifference:
    """Why a label map is not on the grid of its case, in words."""

    kind: Literal["shape", "orientation", "affine"]
    found: str
    expected: str
    hint: str


def grid_difference(grid: Grid, expected: Grid, name: str) -> GridDifference | None:
    """Compare the grid of a label map with the expected one, of the file `name`; None for the same grid."""
    if grid.shape != expected.shape:
        hint = _shape_hint(grid, expected)
        return GridDifference(
            "shape", f"shape {_by(grid.shape)}", f"{_by(expected.shape)}, as in {name}", hint
        )
    if same_grid(grid, expected):
        return None
    axes, expected_axes = _axes(grid), _axes(expected)
    if axes != expected_axes:
        hint = f"undo a reorientation of the array; write it with the header of {name}"
        return GridDifference("orientation", f"axes run to {axes}", f"{expected_axes}, as in {name}", hint)
    distance = corner_distance_mm(grid, expected)
    found = f"lies up to {distance:.4g} mm off"
    if np.abs(grid.affine[:3, :3] - expected.affine[:3, :3]).max() <= DIRECTION_TOLERANCE:
        found = f"its origin {_numbers(grid.affine[:3, 3])} is {distance:.4g} mm off"
    place = f"origin {_numbers(expected.affine[:3, 3])} and the directions of {name}"
    return GridDifference("affine", found, place, f"copy the affine of {name}")


def _shape_hint(grid: Grid, expected: Grid) -> str:
    if grid.shape == expected.shape[::-1]:
        return "transpose the array from z, y, x to x, y, z before writing"
    view, expected_view = (np.multiply(one.shape, one.spacing) for one in (grid, expected))
    if np.allclose(view, expected_view, rtol=FIELD_OF_VIEW_TOLERANCE):
        return "the field of view is the same: resample the map to the grid of the case"
    return "write the map on the grid of the case"


def _axes(grid: Grid) -> str:
    return "".join(str(letter) for letter in aff2axcodes(grid.affine))


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _numbers(values: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
