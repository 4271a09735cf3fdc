import numpy as np
import pytest
from skimage.transform import resize

from segcube.transforms import Resampler
from segcube.transforms.label_maps import resample_labels


def shares(labels_xyz, shape):
    """Each label's mask, resampled by scikit-image."""
    masks = {label: (labels_xyz == label).astype(float) for label in np.unique(labels_xyz)}
    return {
        label: resize(mask, shape, order=1, mode="edge", anti_aliasing=False) for label, mask in masks.items()
    }


@pytest.fixture
def blobs_xyz():
    labels_xyz = np.zeros((12, 12, 6), dtype=np.int16)
    labels_xyz[:2] = -1
    labels_xyz[2:9, 3:9, 1:5] = 1
    labels_xyz[4:7, 5:8, 2:4] = 3
    return labels_xyz


@pytest.mark.parametrize("ties", ["nearest", "lowest"])
def test_the_label_of_the_largest_share_stands(array, blobs_xyz, ties):
    shape = (17, 11, 10)
    found = shares(blobs_xyz, shape)
    expected = np.array(list(found))[np.argmax(list(found.values()), axis=0)]

    resampled = resample_labels(array(blobs_xyz), Resampler((12, 12, 6), shape, 1), ties)

    assert np.array_equal(np.asarray(resampled), expected)
    assert str(resampled.dtype).endswith("int16")


def test_of_equal_shares_the_nearest_voxels_label_stands_or_the_lowest():
    labels_xyz = np.array([[[1, 2, 3, 3]]], dtype=np.int16)
    halved = Resampler((1, 1, 4), (1, 1, 2), 1)

    assert resample_labels(labels_xyz, halved, "nearest").tolist() == [[[2, 3]]]
    assert resample_labels(labels_xyz, halved, "lowest").tolist() == [[[1, 3]]]


def test_a_nearest_label_that_lost_does_not_stand():
    square = np.array([[[3, 1], [1, 2]]], dtype=np.int16)

    assert resample_labels(square, Resampler((1, 2, 2), (1, 1, 1), 1)).tolist() == [[[1]]]


def test_across_slices_first_and_then_the_nearest_slice(array):
    slices = [[1, 1, 2], [1, 2, 2]]
    labels_xyz = array(np.array([slices], dtype=np.int16))
    resampler = Resampler((1, 2, 3), (1, 4, 3), 1, coarse_axis=1)

    assert resample_labels(labels_xyz, resampler).tolist() == [[slices[0], slices[0], slices[1], slices[1]]]


def test_between_slices_a_label_has_to_fill_more_than_half(array):
    labels_xyz = array(np.array([[[1], [2]]], dtype=np.int16))
    resampler = Resampler((1, 2, 1), (1, 3, 1), 1, coarse_axis=1, coarse_order=1)

    assert resample_labels(labels_xyz, resampler).tolist() == [[[1], [0], [2]]]


def test_order_0_takes_the_nearest_label():
    labels_xyz = np.array([[[4, 9]]], dtype=np.uint8)

    assert resample_labels(labels_xyz, Resampler((1, 1, 2), (1, 1, 4), 0)).tolist() == [[[4, 4, 9, 9]]]


def test_equal_shapes_change_nothing(blobs_xyz):
    resampler = Resampler((12, 12, 6), (12, 12, 6), 1, coarse_axis=2)

    assert np.array_equal(np.asarray(resample_labels(blobs_xyz, resampler)), blobs_xyz)
