from __future__ import annotations

import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from segcube.core import Grid
from segcube.pages.views import MARGIN_MM, PLANES, plan_view

SHAPE, SPACING = (60, 70, 80), (1.0, 2.0, 3.0)
RAS = np.diag([*SPACING, 1.0])


def marked(corner: tuple[int, int, int], codes: str) -> tuple[np.ndarray, Grid]:
    """A volume in RAS with one voxel set, stored with axes of other directions."""
    volume_xyz = np.zeros(SHAPE)
    volume_xyz[corner] = 1
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    volume = apply_orientation(volume_xyz, turn)
    return volume, Grid(volume.shape, RAS @ inv_ornt_aff(turn, SHAPE))


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAL"])
@pytest.mark.parametrize(
    ("plane", "top_left"),
    [
        (0, (-1, -1, 40)),  # right, anterior
        (1, (-1, 35, -1)),  # right, superior
        (2, (30, -1, -1)),  # anterior, superior
    ],
    ids=[plane.name for plane in PLANES],
)
def test_the_top_left_corner_is_right_or_anterior_and_anterior_or_superior(codes, plane, top_left):
    volume, grid = marked(top_left, codes)
    view = plan_view(grid, np.ones(grid.shape, bool))
    turned_xyz = view.turned(volume)
    index = int(np.argwhere(turned_xyz)[0][PLANES[plane].axis])
    assert PLANES[plane].section(turned_xyz, index)[0, 0] == 1
    assert view.size_mm == (60.0, 140.0, 240.0)


def test_the_part_that_is_drawn_is_the_mask_with_a_margin():
    volume, grid = marked((30, 35, 40), "RAS")
    sides = [1 + 2 * np.ceil(MARGIN_MM / spacing) for spacing in SPACING]
    assert plan_view(grid, volume > 0).turned(volume).shape == tuple(sides)
    assert plan_view(grid, volume < 0).turned(volume).shape == SHAPE


def test_a_single_slice_is_drawn_alone():
    view = plan_view(Grid((9, 8, 1), np.diag([-1.0, -1.0, 1.0, 1.0])), np.ones((9, 8, 1), dtype=bool))
    assert [plane.name for plane in view.planes] == ["axial"]
    view = plan_view(Grid((9, 1, 8), np.diag([-1.0, -1.0, 1.0, 1.0])), np.ones((9, 1, 8), dtype=bool))
    assert [plane.name for plane in view.planes] == ["coronal"]
