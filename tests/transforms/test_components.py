import numpy as np
import pytest
from scipy import ndimage

from segcube.transforms import find_components, largest_component


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


@pytest.mark.parametrize("shape", [(13, 1, 1), (5, 5, 1), (3, 3, 3)])
def test_as_many_single_voxels_as_there_is_room_for(shape):
    mask_xyz = np.zeros(shape, dtype=bool)
    mask_xyz[::2, ::2, ::2] = True

    components = find_components(mask_xyz, 26)

    assert components.sizes.tolist() == [0] + [1] * int(mask_xyz.sum())
