import numpy as np
import pytest
from scipy import ndimage

from segcube.transforms.morphology import fill_holes


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_equals_scipy(seed, share):
    mask_xyz = np.random.default_rng(seed).random((9, 8, 7)) < share

    assert np.array_equal(fill_holes(mask_xyz), ndimage.binary_fill_holes(mask_xyz))


def test_a_hollow_cube_becomes_solid():
    mask_xyz = np.ones((3, 3, 3), dtype=bool)
    mask_xyz[1, 1, 1] = False

    assert fill_holes(mask_xyz).all()


def test_a_hole_that_opens_at_the_border_stays():
    mask_xyz = np.ones((3, 3, 3), dtype=bool)
    mask_xyz[1, 1, 1:] = False

    assert np.array_equal(fill_holes(mask_xyz), mask_xyz)


@pytest.mark.parametrize("value", [False, True])
def test_uniform_masks_stay(value):
    mask_xyz = np.full((2, 3, 4), value)

    assert np.array_equal(fill_holes(mask_xyz), mask_xyz)
