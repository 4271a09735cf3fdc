import numpy as np
import pytest

from segcube.spec.submission import Branch
from segcube.transforms import prepare, prepare_labels

AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])
SPACING = (1.0, 1.0, 2.0)


def branch_of(**changes) -> Branch:
    content = {
        "channels": ["t1c"],
        "outputs": {"kind": "labels", "names": ["background", "ET"]},
        "window": {"size": [4, 4, 4]},
        "members": [{"file": "m.safetensors", "sha256": "0" * 64}],
    }
    return Branch.model_validate(content | changes)


def prepared(labels_xyz, image_xyz, **changes):
    branch = branch_of(**changes)
    image = prepare([image_xyz.astype(np.float32)], AFFINE, SPACING, branch)
    labels = prepare_labels(labels_xyz, [image_xyz], image.placement, SPACING, branch)
    assert labels.shape == image.image_cxyz.shape[1:]
    return labels


@pytest.fixture
def image():
    """Nonzero within 1..4 of each axis, with a hole at 2, 2, 2 and a corner that is empty."""
    image_xyz = np.zeros((6, 6, 6))
    image_xyz[1:5, 1:5, 1:5] = 7
    image_xyz[2, 2, 2] = image_xyz[1, 1, 1] = 0
    return image_xyz


def test_labels_are_cropped_and_background_outside_the_foreground_is_marked(image):
    labels = np.zeros(image.shape, np.uint8)
    labels[4, 4, 4] = 1
    found = prepared(labels, image)
    assert found.shape == (4, 4, 4)
    assert np.argwhere(found == 1).tolist() == [[3, 3, 3]]
    assert np.argwhere(found == -1).tolist() == [[0, 0, 0]]


def test_a_label_outside_the_foreground_stays(image):
    labels = np.zeros(image.shape, np.uint8)
    labels[1, 1, 1] = 3
    assert prepared(labels, image)[0, 0, 0] == 3


def test_labels_are_turned_with_the_image(image):
    labels = np.zeros(image.shape, np.uint8)
    labels[1, 2, 4] = 2
    # x and y of the file point to the left and to the back
    found = prepared(labels, image, orientation="RAS", axes="zxy")
    assert np.argwhere(found == 2).tolist() == [[3, 3, 2]]


def test_labels_are_resampled_by_their_own_order(image):
    labels = np.zeros(image.shape, np.uint8)
    labels[3:] = 1
    found = prepared(labels, image, spacing=[0.5, 1, 2], crop="none", resampling={"labels": 0})
    assert found.shape == (12, 6, 6)
    assert np.array_equal(np.unique(np.argwhere(found == 1)[:, 0]), np.arange(6, 12))


def test_the_foreground_is_that_of_the_cast_image(image):
    image[3, 3, 4] = 0.4
    found = prepared(np.zeros(image.shape, np.uint8), image, intensity={"cast": "int16_abs"})
    assert found[2, 2, 3] == -1
    assert prepared(np.zeros(image.shape, np.uint8), image)[2, 2, 3] == 0
