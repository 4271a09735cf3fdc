import numpy as np
import pytest
from scipy import ndimage

from segcube.transforms import dilate


@pytest.mark.parametrize("radius", [1, 2, 3, 5])
def test_equals_scipys_dilation_by_a_ball(radius):
    mask_xyz = np.random.default_rng(0).random((14, 13, 12)) > 0.997
    steps = np.arange(-radius, radius + 1)
    ball = steps[:, None, None] ** 2 + steps[:, None] ** 2 + steps**2 <= radius**2

    grown_xyz = dilate(mask_xyz, (radius, radius, radius))

    assert np.array_equal(grown_xyz, ndimage.binary_dilation(mask_xyz, ball))


def test_each_axis_has_its_own_radius():
    mask_xyz = np.zeros((7, 7, 7), dtype=bool)
    mask_xyz[3, 3, 3] = True

    grown_xyz = dilate(mask_xyz, (2.5, 1, 0))

    assert grown_xyz[:, 3, 3].tolist() == [False, True, True, True, True, True, False]
    assert grown_xyz[3, :, 3].tolist() == [False, False, True, True, True, False, False]
    assert grown_xyz[3, 3].sum() == 1
    assert grown_xyz.sum() == 7


def test_no_radius_changes_nothing():
    mask_xyz = np.random.default_rng(0).random((5, 5, 5)) > 0.5

    assert np.array_equal(dilate(mask_xyz, (0, 0, 0)), mask_xyz)


def test_an_empty_mask_stays_empty():
    assert not dilate(np.zeros((3, 3, 3), dtype=bool), (2, 2, 2)).any()
