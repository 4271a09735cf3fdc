import itertools

import numpy as np
import pytest
from scipy import ndimage

from segcube.transforms import dilate, find_components, largest_component
from segcube.transforms.morphology import fill_holes


@pytest.mark.parametrize(("connectivity", "rank"), [(6, 1), (18, 2), (26, 3)])
def test_components_equal_scipys(connectivity, rank):
    mask_xyz = np.random.default_rng(4).random((9, 8, 7)) < 0.2
    _, count = ndimage.label(mask_xyz, ndimage.generate_binary_structure(3, rank))

    components = find_components(mask_xyz, connectivity)

    assert len(components.sizes) == count + 1
    assert components.sizes.sum() == mask_xyz.sum()
    assert np.array_equal(components.mask(components.sizes > 0, mask_xyz.shape), mask_xyz)


def test_an_empty_mask_has_none():
    components = find_components(np.zeros((3, 3, 3), dtype=bool), 26)

    assert components.sizes.tolist() == [0]
    assert not components.mask(np.array([True]), (3, 3, 3)).any()


def test_the_largest_is_kept(mask, digits):
    assert digits(largest_component(mask("0110111010"))) == "0000111000"


def test_the_first_of_equals_is_kept(mask, digits):
    assert digits(largest_component(mask("0110011"))) == "0110000"


def test_corners_join_at_26_only():
    mask_xyz = np.zeros((3, 3, 3), dtype=bool)
    mask_xyz[0, 0, 0] = mask_xyz[1, 1, 1] = True

    assert largest_component(mask_xyz, 26).sum() == 2
    assert largest_component(mask_xyz, 18).sum() == 1


def test_nothing_stays_nothing():
    assert not largest_component(np.zeros((2, 2, 2), dtype=bool)).any()


def test_as_many_single_voxels_as_there_is_room_for():
    for shape in ((13, 1, 1), (5, 5, 1), (3, 3, 3)):
        mask_xyz = np.zeros(shape, dtype=bool)
        mask_xyz[::2, ::2, ::2] = True

        components = find_components(mask_xyz, 26)

        assert components.sizes.tolist() == [0] + [1] * int(mask_xyz.sum()), shape


def test_equals_scipys_dilation_by_a_ball():
    radius = 5
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


def test_equals_scipy():
    for share, seed in itertools.product((0.5, 0.8, 0.95), range(8)):
        mask_xyz = np.random.default_rng(seed).random((9, 8, 7)) < share

        assert np.array_equal(fill_holes(mask_xyz), ndimage.binary_fill_holes(mask_xyz)), (share, seed)


def test_a_hollow_cube_becomes_solid():
    mask_xyz = np.ones((3, 3, 3), dtype=bool)
    mask_xyz[1, 1, 1] = False

    assert fill_holes(mask_xyz).all()


def test_a_hole_that_opens_at_the_border_stays():
    mask_xyz = np.ones((3, 3, 3), dtype=bool)
    mask_xyz[1, 1, 1:] = False

    assert np.array_equal(fill_holes(mask_xyz), mask_xyz)


def test_uniform_masks_stay():
    for value in (False, True):
        mask_xyz = np.full((2, 3, 4), value)

        assert np.array_equal(fill_holes(mask_xyz), mask_xyz)
