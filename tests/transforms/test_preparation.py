import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import resize

from segcube.core import Box
from segcube.spec.submission import Branch
from segcube.transforms import prepare
from segcube.transforms.preparation import crop_box, scale
from segcube.transforms.resample import Lattice


@pytest.mark.parametrize(
    ("crop", "shape"), [("nonzero", (4, 1, 1)), ("positive", (2, 1, 1)), ("none", (6, 2, 2))]
)
def test_the_branch_says_what_is_cropped_to(crop, shape):
    image_xyz = np.zeros((6, 2, 2), dtype=np.float32)
    image_xyz[1:5, 0, 1] = (3, 5, -2, -4)
    branch = Branch.model_validate(
        {
            "channels": ["lge"],
            "crop": crop,
            "normalize": {"scheme": "none", "mask": "none"},
            "outputs": {"kind": "labels", "names": ["background", "LA"]},
            "window": {"size": [8, 8, 8]},
            "members": [{"file": "a.safetensors", "sha256": "0" * 64}],
        }
    )
    assert prepare([image_xyz], np.eye(4), (1.0, 1.0, 1.0), branch).image_cxyz.shape == (1, *shape)


NATIVE = Lattice((10, 8, 6), (1.0, 1.0, 1.0))
OWN = NATIVE.at((1.3, 1.1, 0.9))


def branch_of(mask, when, scheme="zscore"):
    return Branch.model_validate(
        {
            "channels": ["t1c"],
            "normalize": {"scheme": scheme, "mask": mask},
            "resampling": {"normalize": when, "separate_z": "never"},
            "outputs": {"kind": "labels", "names": ["background", "GTV"]},
            "window": {"size": [8, 8, 8]},
            "members": [{"file": "a", "sha256": "0" * 64}],
        }
    )


@pytest.fixture
def image_cxyz():
    image = np.random.default_rng(0).normal(5, 2, (1, *NATIVE.shape)).astype(np.float32)
    image[:, :3] = image[..., 5:] = 0
    return image


def resized(array_xyz, order):
    return resize(array_xyz.astype(float), OWN.shape, order, mode="edge", anti_aliasing=False)


def test_intensities_are_scaled_before_resampling(image_cxyz):
    found = scale(image_cxyz, branch_of("none", "before"), NATIVE, OWN, None)
    scaled = (image_cxyz[0] - image_cxyz[0].mean()) / image_cxyz[0].std()
    np.testing.assert_allclose(found[0], resized(scaled, 3), atol=1e-5)


def test_intensities_may_be_scaled_after_resampling(image_cxyz):
    found = scale(image_cxyz, branch_of("none", "after"), NATIVE, OWN, None)
    wanted = resized(image_cxyz[0], 3)
    np.testing.assert_allclose(found[0], (wanted - wanted.mean()) / wanted.std(), atol=1e-5)


def test_a_foreground_is_resampled_with_the_image_and_outside_it_is_0(image_cxyz):
    """As nnU-Net v1 does."""
    found = scale(image_cxyz, branch_of("foreground", "after"), NATIVE, OWN, None)
    wanted = resized(image_cxyz[0], 3)
    mask = resized(ndimage.binary_fill_holes(image_cxyz[0] != 0), 1) >= 0.5
    values = wanted[mask]
    wanted = np.where(mask, (wanted - values.mean()) / values.std(), 0)
    np.testing.assert_allclose(found[0], wanted, atol=1e-5)
    assert 0 < mask.sum() < mask.size


def test_on_the_native_grid_both_orders_are_one(image_cxyz):
    found = [
        scale(image_cxyz.copy(), branch_of("foreground", w), NATIVE, NATIVE, None)
        for w in ("before", "after")
    ]
    np.testing.assert_array_equal(*found)


def test_labelled_voxels_are_foreground(image_cxyz):
    labelled_xyz = np.zeros(NATIVE.shape, dtype=bool)
    labelled_xyz[:3] = True
    found = scale(image_cxyz, branch_of("foreground", "after"), NATIVE, NATIVE, labelled_xyz)
    assert found[0][labelled_xyz].all()


def test_the_union_of_channels_is_boxed(array):
    image_cxyz = np.zeros((2, 5, 5, 5))
    image_cxyz[0, 1, 2, 3] = -4
    image_cxyz[1, 3, 2, 1] = 7

    assert crop_box(array(image_cxyz), "nonzero") == Box((1, 2, 1), (4, 3, 4))


def test_an_image_of_zeros_is_kept_whole():
    assert crop_box(np.zeros((2, 3, 4, 5)), "nonzero") == Box((0, 0, 0), (3, 4, 5))


def test_voxels_below_0_are_outside_the_positive_box():
    image_cxyz = np.zeros((2, 5, 5, 5))
    image_cxyz[0, 1, 2, 3] = 4
    image_cxyz[1, 2, 2, 3] = 4
    image_cxyz[:, 4, 4, 4] = -7

    assert crop_box(image_cxyz, "positive") == Box((1, 2, 3), (3, 3, 4))


def test_the_positive_box_is_monai_s_crop():
    from monai.transforms import CropForeground

    image_cxyz = np.random.default_rng(0).normal(-3, 1, (2, 9, 9, 9)).astype(np.float32)
    box = crop_box(image_cxyz, "positive")

    assert box != crop_box(image_cxyz, "nonzero")
    np.testing.assert_array_equal(box.apply(image_cxyz), CropForeground()(image_cxyz))


def test_an_image_without_positive_voxels_is_kept_whole():
    assert crop_box(np.full((1, 3, 4, 5), -1.0), "positive") == Box((0, 0, 0), (3, 4, 5))
