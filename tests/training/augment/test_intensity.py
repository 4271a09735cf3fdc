"""Hand-computed values; agreement with batchgeneratorsv2 is in tests/oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.training.augment import intensity
from segcube.training.augment.draws import below_or_above, draw_for_samples

NAN = np.nan


def row(*values: float) -> torch.Tensor:
    """An image of one sample and one channel."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, 1, -1)


def changed(image, function, *arguments):
    function(image, *arguments)
    return image.flatten().tolist()


def test_brightness_multiplies_a_channel():
    image = torch.ones(2, 2, 1, 1, 1)
    intensity.multiply(image, np.array([[2.0, NAN], [NAN, 0.5]]))
    assert image.flatten().tolist() == [2, 1, 1, 0.5]


def test_a_factor_of_a_sample_multiplies_all_its_channels():
    image = torch.ones(2, 2, 1, 1, 1)
    intensity.multiply(image, np.array([NAN, 3.0]))
    assert image.flatten().tolist() == [1, 1, 3, 3]


def test_a_shift_adds_to_zeros_as_well():
    assert changed(row(0, 2), intensity.shift, np.array([-0.5])) == [-0.5, 1.5]


def test_contrast_stays_within_the_range():
    # Mean 1: distances -1, 0, 1 doubled would reach -1 and 3
    assert changed(row(0, 1, 2), intensity.change_contrast, np.array([[2.0]])) == [0, 1, 2]
    assert changed(row(0, 1, 2), intensity.change_contrast, np.array([[0.5]])) == [0.5, 1, 1.5]


def test_gamma_keeps_mean_and_deviation():
    # Of 0..1 the square is 0, 1/4, 1: mean 5/12, deviation sqrt(13/48); that of the channel is 1/2
    expected = [(value - 5 / 12) / (13 / 48) ** 0.5 * 0.5 + 0.5 for value in (0, 0.25, 1)]
    found = changed(row(0, 0.5, 1), intensity.change_gamma, np.array([[2.0]]), False)
    assert found == pytest.approx(expected, abs=1e-6)


def test_gamma_of_the_negative():
    # Negated and scaled to 0..1 the channel is 1, 1/2, 0
    expected = [(5 / 12 - value) / (13 / 48) ** 0.5 * 0.5 + 0.5 for value in (1, 0.25, 0)]
    found = changed(row(0, 0.5, 1), intensity.change_gamma, np.array([[2.0]]), True)
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_constant_channel_stays():
    for function, rest in (
        (intensity.change_gamma, (np.array([[2.0]]), False)),
        (intensity.change_contrast, (np.array([[2.0]]),)),
        (intensity.adjust_contrast, (np.array([2.0]),)),
    ):
        assert changed(row(3, 3, 3), function, *rest) == [3, 3, 3]


def test_adjust_contrast_takes_the_range_of_all_channels():
    image = torch.tensor([0.0, 1, 2, 4]).reshape(1, 2, 1, 1, 2)
    intensity.adjust_contrast(image, np.array([2.0]))
    # 4 * (v / 4) ** 2
    assert image.flatten().tolist() == pytest.approx([0, 0.25, 1, 4], abs=1e-6)


def test_noise_is_scaled_by_its_sigma_and_drawn_for_its_sample_alone():
    image = torch.zeros(2, 2, 1, 1, 2)
    asked = []

    def normal(sample, shape):
        asked.append(sample)
        return torch.ones(shape)

    intensity.add_noise(image, np.array([NAN, 0.25]), normal)
    assert (asked, image[0].sum().item(), image[1].unique().tolist()) == ([1], 0, [0.25])


def test_voxels_outside_become_zero_in_masked_channels():
    image, outside = torch.ones(1, 2, 1, 1, 2), torch.tensor([True, False]).reshape(1, 1, 1, 2)
    intensity.zero_outside(image, outside, (1,))
    assert image.flatten().tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ("ends", "low", "high", "below"),
    [((0.75, 1.25), 0.75, 1.25, 0.5), ((1.1, 1.4), 1.1, 1.4, 0), ((0.5, 0.9), 0.5, 1, 1)],
)
def test_factors_lie_below_one_half_of_the_time(ends, low, high, below):
    factors = below_or_above(np.random.default_rng(0), ends, 4000)
    assert low <= factors.min() < factors.max() <= high
    assert (factors < 1).mean() == pytest.approx(below, abs=0.03)


def test_a_sample_is_drawn_by_its_own_generator():
    rngs = [np.random.default_rng(seed) for seed in (0, 1, 0)]
    values = draw_for_samples(rngs, 1, (0, 1))
    assert values[0] == values[2] != values[1]
    assert np.isnan(draw_for_samples(rngs, 0, (0, 1))).all()
