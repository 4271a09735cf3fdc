import numpy as np

from segcube.core import Box
from segcube.transforms.crop import nonzero_box, positive_box


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
