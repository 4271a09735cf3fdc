"""Affines of grids: choice between sform and qform, comparison in mm, and notices about unusual ones."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
from nibabel.orientations import aff2axcodes
from nibabel.quaternions import quat2mat
from nibabel.volumeutils import shape_zoom_affine

from segcube.core import SPACING_RANGE_MM, CaseError, Code, Forms, Grid, Notice, Shape
from segcube.spec.challenges import Challenge, UsualGrid

TOLERANCE_MM = 1e-3
FLOAT_ROUNDING = 2.0**-22
"""Relative difference between two equal numbers that were rounded to float32."""
CORNER_TOLERANCE = 0.1
"""Distance between corners of equal grids, relative to the smallest spacing."""
MAX_SHEAR = 1e-3
"""Cosine between axes from which they are not orthogonal."""


def choose_affine(forms: Forms, shape: Shape, file: Path) -> np.ndarray:
    """Return a file's 4x4 affine, as nibabel does: of the sform, else the qform, else the spacing only.

    Raises CaseError BAD_AFFINE when it is not finite, singular, or has a spacing outside SPACING_RANGE_MM.
    """
    if forms.sform_code > 0:
        affine = np.vstack([np.reshape(forms.sform, (3, 4)), [0, 0, 0, 1]])
    elif forms.qform_code > 0:
        found = qform_affine(forms)
        affine = np.full((4, 4), np.nan) if found is None else found
    else:
        affine = shape_zoom_affine(shape, forms.pixdim[1:4])
    with np.errstate(over="ignore"):
        # Label maps store it as float32
        finite = np.isfinite(affine.astype(np.float32)).all()
    if not finite:
        raise CaseError(Code.BAD_AFFINE, "the affine is not finite", file=file, hint="export it again")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() == 0 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
        message = f"the affine is singular: {affine[:3, :3].tolist()}"
        raise CaseError(Code.BAD_AFFINE, message, file=file, hint="export it again")
    least, most = SPACING_RANGE_MM
    if lengths.min() < least or lengths.max() > most:
        message = f"the affine's spacing is {' x '.join(f'{length:g}' for length in lengths)} mm"
        expected = f"{least:g} to {most:g} mm"
        raise CaseError(Code.BAD_AFFINE, message, file=file, expected=expected, hint="export it again")
    return affine


def qform_affine(forms: Forms) -> np.ndarray | None:
    """Return the 4x4 affine of the qform (NIfTI-1, method 2); None for an invalid quaternion."""
    b, c, d = forms.qform[:3]
    rest = 1.0 - (b * b + c * c + d * d)
    if not np.isfinite([*forms.qform, *forms.pixdim]).all() or rest < -1e-6:
        return None
    handedness = -1.0 if forms.pixdim[0] < 0 else 1.0
    scales = np.array(forms.pixdim[1:4]) * (1.0, 1.0, handedness)
    affine = np.eye(4)
    affine[:3, :3] = quat2mat((sqrt(max(rest, 0.0)), b, c, d)) * scales
    affine[:3, 3] = forms.qform[3:]
    return affine


def corner_distance_mm(grid: Grid, other: Grid) -> float:
    """Return the largest distance between the corners of two grids of one shape, along any axis, in mm."""
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [*grid.shape, 1]
    return float(np.abs(corners @ (grid.affine - other.affine).T).max())


def same_grid(grid: Grid, other: Grid) -> bool:
    """Return whether two grids of one shape are equal up to the rounding of stored affines.

    Numbers differ by at most TOLERANCE_MM, corners by at most a tenth of a voxel: a small rotation adds up
    along an axis.
    """
    if corner_distance_mm(grid, other) > CORNER_TOLERANCE * min(grid.spacing):
        return False
    return _equal_affines(grid.affine, other.affine)


def _equal_affines(affine: np.ndarray, other: np.ndarray) -> bool:
    tolerance = TOLERANCE_MM + FLOAT_ROUNDING * np.abs(affine).max()
    return bool(np.abs(affine - other).max() <= tolerance)


def affine_notices(forms: Forms, affine: np.ndarray) -> tuple[Notice, ...]:
    """Return notices about missing or different sform and qform, and about axes that are not orthogonal."""
    notices: list[Notice] = []
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if forms.sform_code <= 0 and forms.qform_code <= 0:
        notices.append(Notice(Code.NO_FORM, "neither sform nor qform; using the spacing only"))
    if forms.sform_code > 0 and forms.qform_code > 0:
        other = qform_affine(forms)
        if other is None or not _equal_affines(affine, other):
            notices.append(Notice(Code.QFORM_SFORM, "qform and sform differ; using the sform"))
    elif forms.sform_code > 0 and not np.allclose(lengths, forms.pixdim[1:], rtol=0, atol=TOLERANCE_MM):
        notices.append(Notice(Code.QFORM_SFORM, "spacing and sform differ; using the sform"))
    axes = affine[:3, :3] / lengths
    if np.abs(axes.T @ axes - np.eye(3)).max() > MAX_SHEAR:
        notices.append(Notice(Code.NOT_ORTHONORMAL, "the axes are not orthogonal"))
    return tuple(notices)


SPACING_TOLERANCE = 1e-3
"""Relative difference between equal spacings."""


def geometry_notices(grid: Grid, challenge: Challenge) -> tuple[Notice, ...]:
    """Return GEOMETRY for a grid other than the challenge's fixed ones, FLIPPED for another orientation.

    There is no FLIPPED for a challenge without a usual orientation.
    """
    notices: list[Notice] = []
    usual = challenge.geometry.grids
    if challenge.geometry.fixed and not any(_same_size(grid, other) for other in usual):
        known = " or ".join(_described(other.shape, other.spacing) for other in usual)
        found = _described(grid.shape, grid.spacing)
        notices.append(Notice(Code.GEOMETRY, f"the grid is {found}; {challenge.key} has {known}"))
    orientation = "".join(str(letter) for letter in aff2axcodes(grid.affine))
    # Of several usual grids, those of this shape define the orientation
    like = [other for other in usual if other.shape == grid.shape] or usual
    expected = {other.orientation for other in like}
    if None not in expected and orientation not in expected:
        names = " or ".join(sorted(filter(None, expected)))
        notices.append(Notice(Code.FLIPPED, f"the orientation is {orientation}; {challenge.key} has {names}"))
    return tuple(notices)


def _same_size(grid: Grid, usual: UsualGrid) -> bool:
    return grid.shape == usual.shape and np.allclose(
        grid.spacing, usual.spacing, rtol=SPACING_TOLERANCE, atol=0
    )


def _described(shape: tuple[int, ...], spacing: tuple[float, ...]) -> str:
    return f"{' x '.join(map(str, shape))} voxels of {' x '.join(f'{s:g}' for s in spacing)} mm"
