import numpy as np
import pytest

from segcube.core import Grid
from segcube.phantoms import Phantom
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import Branch
from segcube.training.starters.samples import WHOLE, Sample, crop_near, prepare_sample


@pytest.fixture
def phantom():
    """Two voxels of margin around a bright cube of label 2 in dim tissue."""
    image = np.zeros((4, 12, 12, 12), np.int16)
    image[:, 2:10, 2:10, 2:10] = np.array([100, 200, 300, 400]).reshape(4, 1, 1, 1)
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[4:7, 4:8, 4:8] = 2
    image[:, labels > 0] *= 2
    return Phantom("BraTS-GLI-00001-000", image, labels, Grid((12, 12, 12), np.diag([-1.0, -1.0, 1.0, 1.0])))


def branch(**changes):
    return Branch.model_validate(
        {
            "channels": ["t2f", "t1c"],
            "orientation": "RAS",
            "spacing": [2.0, 2.0, 2.0],
            "resampling": {"image": 1, "separate_z": "never"},
            "outputs": {"kind": "regions", "names": ["WT"]},
            "window": {"size": [16, 16, 16]},
            "members": [{"file": "a.safetensors", "sha256": "0" * 64}],
            **changes,
        }
    )


def test_samples_lie_on_the_branch_s_grid(phantom):
    sample = prepare_sample(phantom, load_challenge("brats2023-gli"), branch(), [["NCR", "ED", "ET"]])
    assert sample.image_cxyz.shape == (2, 4, 4, 4)
    assert sample.image_cxyz.dtype == np.float16
    assert sample.target_kxyz.dtype == np.uint8


def test_targets_are_fractions_reoriented_with_the_image(phantom):
    sample = prepare_sample(phantom, load_challenge("brats2023-gli"), branch(), [["ED"]])
    # In RAS the three voxels from 4 to 6 along x are those from 3 to 5 of the box of 8: half, whole, whole.
    np.testing.assert_array_equal(sample.target_kxyz[0, :, 1, 1], [0, 128, WHOLE, 0])
    assert sample.image_cxyz[0, 2, 1, 1] > sample.image_cxyz[0, 0, 1, 1]


def test_other_labels_are_not_in_the_target(phantom):
    sample = prepare_sample(phantom, load_challenge("brats2023-gli"), branch(), [["NCR", "ET"]])
    assert not sample.target_kxyz.any()


def test_crop_near_keeps_a_margin_around_the_targets():
    image = np.arange(1000, dtype=np.float16).reshape(1, 10, 10, 10)
    target = np.zeros((2, 10, 10, 10), np.uint8)
    target[1, 4, 5, 6] = 9
    cropped = crop_near(Sample(image, target), (2, 0, 9))
    assert cropped.image_cxyz.shape == (1, 5, 1, 10)
    assert cropped.target_kxyz[1, 2, 0, 6] == 9


def test_without_targets_nothing_is_cropped():
    empty = Sample(np.zeros((1, 3, 3, 3), np.float16), np.zeros((2, 3, 3, 3), np.uint8))
    assert crop_near(empty, (1, 1, 1)).image_cxyz.shape == (1, 3, 3, 3)
