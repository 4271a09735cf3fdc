"""How a case's grid differs from those that its challenge usually has."""

from __future__ import annotations

import numpy as np
from nibabel.orientations import aff2axcodes

from segcube.challenges import Challenge, UsualGrid
from segcube.errors import Code
from segcube.types import Grid, Notice

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
