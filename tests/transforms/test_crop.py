import numpy as np
import pytest

from segcube.core import Box, mask_box
from segcube.transforms.crop import nonzero_box, positive_box


def test_a_box_goes_back_exactly(array):
    image_cxyz = array(np.arange(2 * 4 * 5 * 6).reshape(2, 4, 5, 6))
    box = Box((1, 0, 2), (3, 5, 6))

    restored = box.undo(box.apply(image_cxyz), (4, 5, 6), -1)

    inside = np.zeros((4, 5, 6), dtype=bool)
    inside[1:3, :, 2:] = True
    assert (restored[:, inside] == image_cxyz[:, inside]).all()
    assert (restored[:, ~inside] == -1).all()
    assert restored.dtype == image_cxyz.dtype


def test_each_channel_may_have_its_own_fill(array):
    cut_kxyz = array(np.full((2, 1, 1, 1), 9.0))

    restored = Box((1, 0, 0), (2, 1, 1)).undo(cut_kxyz, (2, 1, 1), (1.0, 0.0))

    assert restored.tolist() == [[[[1.0]], [[9.0]]], [[[0.0]], [[9.0]]]]


def test_the_union_of_channels_is_boxed(array):
    image_cxyz = np.zeros((2, 5, 5, 5))
    image_cxyz[0, 1, 2, 3] = -4
    image_cxyz[1, 3, 2, 1] = 7

    assert nonzero_box(array(image_cxyz)) == Box((1, 2, 1), (4, 3, 4))


def test_an_image_of_zeros_is_kept_whole(array):
    assert nonzero_box(array(np.zeros((2, 3, 4, 5)))) == Box((0, 0, 0), (3, 4, 5))


def test_voxels_below_0_are_outside_the_positive_box(array):
    image_cxyz = np.zeros((2, 5, 5, 5))
    image_cxyz[0, 1, 2, 3] = 4
    image_cxyz[1, 2, 2, 3] = 4
    image_cxyz[:, 4, 4, 4] = -7

    assert positive_box(array(image_cxyz)) == Box((1, 2, 3), (3, 3, 4))


def test_the_positive_box_is_monai_s_crop():
    from monai.transforms import CropForeground

    image_cxyz = np.random.default_rng(0).normal(-3, 1, (2, 9, 9, 9)).astype(np.float32)
    box = positive_box(image_cxyz)

    assert box != nonzero_box(image_cxyz)
    np.testing.assert_array_equal(box.apply(image_cxyz), CropForeground()(image_cxyz))


def test_an_image_without_positive_voxels_is_kept_whole(array):
    assert positive_box(array(np.full((1, 3, 4, 5), -1.0))) == Box((0, 0, 0), (3, 4, 5))


def test_a_margin_stops_at_the_border(array):
    mask_xyz = np.zeros((9, 9, 9), dtype=bool)
    mask_xyz[1, 4, 8] = True

    assert mask_box(array(mask_xyz), (2, 1.2, 0)) == Box((0, 2, 8), (4, 7, 9))


def test_an_empty_mask_has_no_box(array):
    assert mask_box(array(np.zeros((2, 2, 2), dtype=bool))) is None


def test_shape_counts_voxels():
    assert Box((1, 0, 2), (3, 5, 6)).shape == (2, 5, 4)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_an_empty_box_goes_back_as_fill(array, fill):
    nothing = array(np.zeros((1, 0, 2, 2)))

    assert (Box((1, 0, 0), (1, 2, 2)).undo(nothing, (3, 2, 2), fill) == fill).all()


def test_boxes_meet_in_what_they_share():
    assert Box((0, 0, 0), (4, 4, 4)).meet(Box((1, 2, 3), (9, 3, 9))) == Box((1, 2, 3), (4, 3, 4))


def test_boxes_apart_share_no_voxel():
    assert 0 in Box((0, 0, 0), (2, 4, 4)).meet(Box((3, 0, 0), (4, 4, 4))).shape


def test_boxes_join_in_the_smallest_around_both():
    assert Box((0, 3, 0), (2, 4, 4)).join(Box((1, 0, 0), (4, 2, 2))) == Box((0, 0, 0), (4, 4, 4))


def test_a_box_inside_another_counts_from_its_corner():
    inner, outer = Box((3, 4, 5), (6, 6, 6)), Box((1, 1, 1), (9, 9, 9))
    assert inner.inside(outer) == Box((2, 3, 4), (5, 5, 5))
    assert inner.inside(outer).moved(outer.start) == inner
