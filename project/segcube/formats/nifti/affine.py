"""Affines: where a grid lies, compared in millimetres, and what is odd about it."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
from nibabel.orientations import aff2axcodes
from nibabel.quaternions import quat2mat

from segcube.core import CaseError, Code, Forms, Grid, Notice, Shape
from segcube.spec.challenges import Challenge, UsualGrid

TOLERANCE_MM = 1e-3
FLOAT_NOISE = 2.0**-22
"""What storing a number as float32 changes about it and another one, relative to it."""
CORNERS_APART = 0.1
"""How far noise may bring the corners of two grids apart, in edges of a voxel."""
SHEAR = 1e-3
EDGES_MM = (1e-4, 1e4)
"""Shorter and longer edges of a voxel are no lengths in millimetres."""


def choose_affine(forms: Forms, shape: Shape, file: Path) -> np.ndarray:
    """The affine of a file, 4x4: its sform, else its qform, else its spacing alone, as nibabel chooses.

    Raises CaseError BAD_AFFINE when that is not finite, cannot be inverted, or has edges of no sensible
    length.
    """
    if forms.sform_code > 0:
        affine = np.vstack([np.reshape(forms.sform, (3, 4)), [0, 0, 0, 1]])
    elif forms.qform_code > 0:
        found = qform_affine(forms)
        affine = np.full((4, 4), np.nan) if found is None else found
    else:
        affine = _spacing_affine(forms, shape)
    with np.errstate(over="ignore"):
        # A label map stores them as float32
        finite = np.isfinite(affine.astype(np.float32)).all()
    if not finite:
        raise CaseError(Code.BAD_AFFINE, "an affine that is not finite", file=file, hint="export it again")
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() == 0 or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-6:
        raise CaseError(
            Code.BAD_AFFINE, f"a singular affine {affine[:3, :3].tolist()}", file=file, hint="export it again"
        )
    least, most = EDGES_MM
    if lengths.min() < least or lengths.max() > most:
        raise CaseError(
            Code.BAD_AFFINE,
            f"voxels of {' x '.join(f'{length:g}' for length in lengths)} mm",
            file=file,
            expected=f"edges of {least:g} to {most:g} mm",
            hint="export it again",
        )
    return affine


def qform_affine(forms: Forms) -> np.ndarray | None:
    """The affine of the qform, 4x4 (NIfTI-1 method 2); None when its quaternion is none."""
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


def _spacing_affine(forms: Forms, shape: Shape) -> np.ndarray:
    # nibabel's base affine: x runs to the left, the origin lies in the middle
    scales = np.array(forms.pixdim[1:4]) * (-1.0, 1.0, 1.0)
    affine = np.diag([*scales, 1.0])
    affine[:3, 3] = -scales * (np.array(shape) - 1) / 2
    return affine


def millimetres_apart(grid: Grid, other: Grid) -> float:
    """How far the corners of two grids of one shape lie apart at most, along any axis, in mm."""
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * [*grid.shape, 1]
    return float(np.abs(corners @ (grid.affine - other.affine).T).max())


def same_place(grid: Grid, other: Grid) -> bool:
    """Whether two grids of one shape differ by no more than the noise of stored affines.

    Each number within TOLERANCE_MM, and the corners within a tenth of a voxel: a tilt adds up along an axis.
    """
    if millimetres_apart(grid, other) > CORNERS_APART * min(grid.spacing):
        return False
    return _within_noise(grid.affine, other.affine)


def _within_noise(affine: np.ndarray, other: np.ndarray) -> bool:
    tolerance = TOLERANCE_MM + FLOAT_NOISE * np.abs(affine).max()
    return bool(np.abs(affine - other).max() <= tolerance)


def affine_notices(forms: Forms, affine: np.ndarray) -> tuple[Notice, ...]:
    """What is odd about a file's forms: none, two that differ, or axes that are not at right angles."""
    notices: list[Notice] = []
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if forms.sform_code <= 0 and forms.qform_code <= 0:
        notices.append(Notice(Code.NO_FORM, "neither sform nor qform; the spacing alone counts"))
    if forms.sform_code > 0 and forms.qform_code > 0:
        other = qform_affine(forms)
        if other is None or not _within_noise(affine, other):
            notices.append(Notice(Code.QFORM_SFORM, "qform and sform differ; the sform counts"))
    elif forms.sform_code > 0 and not np.allclose(lengths, forms.pixdim[1:], rtol=0, atol=TOLERANCE_MM):
        notices.append(Notice(Code.QFORM_SFORM, "spacing and sform differ; the sform counts"))
    axes = affine[:3, :3] / lengths
    if np.abs(axes.T @ axes - np.eye(3)).max() > SHEAR:
        notices.append(Notice(Code.NOT_ORTHONORMAL, "its axes are not at right angles"))
    return tuple(notices)


RELATIVE = 1e-3
"""Spacings that differ by less are the same."""


def geometry_notices(grid: Grid, challenge: Challenge) -> tuple[Notice, ...]:
    """GEOMETRY for a grid that a challenge of fixed ones does not have, FLIPPED for axes that run otherwise.

    A challenge without a usual orientation is never FLIPPED.
    """
    notices: list[Notice] = []
    usual = challenge.geometry.grids
    if challenge.geometry.fixed and not any(_same_size(grid, other) for other in usual):
        known = " or ".join(_told(other.shape, other.spacing) for other in usual)
        found = _told(grid.shape, grid.spacing)
        notices.append(Notice(Code.GEOMETRY, f"a grid of {found}; {challenge.key} has {known}"))
    orientation = "".join(str(letter) for letter in aff2axcodes(grid.affine))
    # Of several usual grids, the one of this shape says how its axes run
    like = [other for other in usual if other.shape == grid.shape] or usual
    expected = {other.orientation for other in like}
    if None not in expected and orientation not in expected:
        names = " or ".join(sorted(filter(None, expected)))
        notices.append(Notice(Code.FLIPPED, f"its axes run {orientation}; {challenge.key} has {names}"))
    return tuple(notices)


def _same_size(grid: Grid, usual: UsualGrid) -> bool:
    return grid.shape == usual.shape and np.allclose(grid.spacing, usual.spacing, rtol=RELATIVE, atol=0)


def _told(shape: tuple[int, ...], spacing: tuple[float, ...]) -> str:
    return f"{' x '.join(map(str, shape))} voxels of {' x '.join(f'{s:g}' for s in spacing)} mm"
