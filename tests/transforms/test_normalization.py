import numpy as np
import pytest
from monai.transforms import NormalizeIntensity, ScaleIntensityRangePercentiles
from scipy import ndimage

from segcube.core import CaseError, Code
from segcube.spec.submission import Normalize
from segcube.transforms.normalization import (
    ct,
    foreground_mask,
    int16_abs,
    normalize,
    percentiles01,
    rescale01,
    rgb01,
    zscore,
)


@pytest.fixture
def image_cxyz():
    rng = np.random.default_rng(3)
    image = rng.gamma(2, 300, (2, 9, 8, 7)) * (rng.random((2, 9, 8, 7)) > 0.3)
    image[:, :2] = 0
    return image.astype(np.float32)


def test_zscore_by_hand():
    channel_xyz = np.array([[[0, 2, 4]]], dtype=np.float32)

    assert zscore(channel_xyz, channel_xyz != 0).tolist() == [[[0, -1, 1]]]


def test_zscore_of_intensities_whose_squares_overflow(array):
    high = 3e38
    channel_xyz = array(np.array([[[0, high, -high]]], dtype=np.float32))

    expected = [[[0, np.sqrt(1.5), -np.sqrt(1.5)]]]
    np.testing.assert_allclose(np.asarray(zscore(channel_xyz)), expected, rtol=1e-6)
    masked = zscore(channel_xyz, array(np.array([[[True, True, False]]])))
    np.testing.assert_allclose(np.asarray(masked), [[[-1, 1, np.float32(-high)]]], rtol=1e-6)


def test_nonzero_zscore_equals_monai(image_cxyz, array):
    expected = NormalizeIntensity(nonzero=True, channel_wise=True)(image_cxyz.copy())

    normalized = normalize(array(image_cxyz), [Normalize(), Normalize()])

    np.testing.assert_allclose(np.asarray(normalized), np.asarray(expected), atol=1e-5)


def test_foreground_zscore_is_over_the_filled_union(image_cxyz, array):
    mask_xyz = ndimage.binary_fill_holes((image_cxyz != 0).any(axis=0))
    expected = image_cxyz.copy()
    for channel_xyz in expected:
        values = channel_xyz[mask_xyz].astype(np.float64)
        channel_xyz[mask_xyz] = (values - values.mean()) / values.std()

    normalized = normalize(array(image_cxyz), [Normalize(mask="foreground")] * 2)

    np.testing.assert_allclose(np.asarray(normalized), expected, atol=1e-5)
    assert np.array_equal(np.asarray(foreground_mask(array(image_cxyz))), mask_xyz)


def test_zscore_without_mask_is_over_all_voxels(image_cxyz, array):
    values = image_cxyz[0].astype(np.float64)

    normalized = zscore(array(image_cxyz[0]))

    np.testing.assert_allclose(np.asarray(normalized), (values - values.mean()) / values.std(), atol=1e-5)


def test_a_constant_becomes_zero():
    for constant in (0.1, 12345.67):
        channel_xyz = np.full((5, 5, 5), constant, dtype=np.float32)

        assert (zscore(channel_xyz) == 0).all()
        assert (zscore(channel_xyz, channel_xyz != 0) == 0).all()


def test_an_empty_mask_changes_nothing(array):
    channel_xyz = array(np.zeros((2, 2, 2), dtype=np.float32))

    assert (zscore(channel_xyz, channel_xyz != 0) == 0).all()
    assert (percentiles01(channel_xyz, channel_xyz != 0, (2, 98)) == 0).all()


def test_ct_clips_then_scales(array):
    channel_xyz = array(np.array([[[-2000, 0, 50, 3000]]], dtype=np.float32))

    assert ct(channel_xyz, (-100, 300), 50, 50).tolist() == [[[-3, -1, 0, 5]]]


def test_rescale01_spans_the_unit(array):
    assert rescale01(array(np.array([[[-1.0, 0, 3]]]))).tolist() == [[[0, 0.25, 1]]]
    assert rescale01(array(np.array([[[5.0, 5]]]))).tolist() == [[[0, 0]]]


def test_rgb01_divides_by_255(array):
    assert rgb01(array(np.array([[[0.0, 51, 255]]]))).tolist() == [[[0, 0.2, 1]]]


def test_rgb01_refuses_other_values():
    with pytest.raises(CaseError) as refused:
        rgb01(np.array([[[0.0, 256]]]))

    assert refused.value.code is Code.RANGE


def test_percentiles_equal_monai_on_the_mask(image_cxyz, array):
    channel_xyz = image_cxyz[0]
    mask_xyz = channel_xyz != 0
    expected = channel_xyz.copy()
    scale = ScaleIntensityRangePercentiles(2, 98, 0.0, 1.0, clip=True)
    expected[mask_xyz] = np.asarray(scale(channel_xyz[mask_xyz]))

    scaled = percentiles01(array(channel_xyz), array(mask_xyz), (2, 98))

    np.testing.assert_allclose(np.asarray(scaled), expected, atol=1e-6)


def test_percentiles_come_before_the_scheme_under_one_mask():
    image_cxyz = np.array([[[[0, 1, 2, 3]]]], dtype=np.float32)

    normalized = normalize(image_cxyz, [Normalize(percentiles=(0, 100))])

    # 0, 0.5 and 1 after the percentiles: the lowest voxel is 0 now and still belongs to the mask.
    half = np.sqrt(1.5)
    np.testing.assert_allclose(np.asarray(normalized), [[[[0, -half, 0, half]]]], atol=1e-6)


def test_each_channel_has_its_own_scheme():
    image_cxyz = np.array([[[[2, 4]]], [[[2, 4]]], [[[2, 4]]]], dtype=np.float32)
    bounds = Normalize(scheme="ct", bounds=(0, 3), mean=1, std=2)

    normalized = normalize(image_cxyz, [Normalize(), bounds, Normalize(scheme="none")])

    assert normalized.tolist() == [[[[-1, 1]]], [[[0.5, 1]]], [[[2, 4]]]]


def test_voxels_with_an_earlier_label_count_as_foreground(array):
    image_cxyz = array(np.array([[[[0, 2, 4, 0]]]], dtype=np.float32))
    labelled_xyz = array(np.array([[[True, True, False, False]]]))

    normalized = normalize(image_cxyz, [Normalize(mask="foreground")], labelled_xyz)

    spread = np.sqrt(8 / 3)
    expected = [-2 / spread, 0, 2 / spread, 0]
    np.testing.assert_allclose(np.asarray(normalized)[0, 0, 0], expected, atol=1e-6)


def test_the_input_is_left_as_it_was(image_cxyz, array):
    given = array(image_cxyz)

    for scheme in ("zscore", "rescale01", "none"):
        normalize(given, [Normalize(scheme=scheme)] * 2)

    assert np.array_equal(np.asarray(given), image_cxyz)


def test_cuts_towards_zero_then_takes_the_absolute_value():
    image = int16_abs(np.array([-881.9, -0.7, 0.0, 0.9, 1200.5], dtype=np.float32))

    assert image.tolist() == [881, 0, 0, 0, 1200]
    assert str(image.dtype).endswith("float32")


def test_wraps_past_int16_as_numpy_does(array):
    values = np.array([32767, 32768, 40000, -40000])

    assert int16_abs(array(values.astype(np.float32))).tolist() == np.abs(values.astype(np.int16)).tolist()
