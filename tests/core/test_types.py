from __future__ import annotations

import numpy as np
import pytest

from segcube.core import Case, Forms, Grid, Volume


def volume(edges, pixdim) -> Volume:
    grid = Grid((2, 2, 2), np.diag([*edges, 1.0]))
    forms = Forms(1, (), 0, (), (1.0, *pixdim), 2)
    return Volume(Case("a", {}, "t1c"), ("t1c",), (np.zeros((2, 2, 2)),), grid, forms)


def test_spacing_is_pixdim_where_the_affine_agrees():
    assert volume((0.62500003, 0.6249999, 2.5), (0.625, 0.625, 2.5)).spacing == (0.625, 0.625, 2.5)


def test_spacing_is_the_affines_where_pixdim_differs():
    assert volume((2.0, 2.0, 3.0), (1.0, 1.0, 1.0)).spacing == pytest.approx((2, 2, 3))


def test_released_voxels_leave_channels_and_grid():
    released = volume((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    released.release_voxels()
    assert [voxels.size for voxels in released.voxels] == [0]
    assert released.grid.shape == (2, 2, 2)
