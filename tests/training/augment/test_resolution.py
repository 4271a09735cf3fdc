"""Hand-computed values; agreement with batchgeneratorsv2 is in tests/oracle."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.training.augment import resolution
from segcube.training.recipes import Blur

NAN = np.nan


@pytest.mark.parametrize(("sigma", "count"), [(0.5, 2), (0.7, 3), (0.75, 3), (1.0, 4), (2.0, 7)])
def test_the_width_of_a_blur(sigma, count):
    # Both sides: 6 sigma + 0.5 is 3.5, 4.7, 5, 6.5 and 12.5; the next odd numbers are 3, 5, 5, 7 and 13
    weights = resolution.gaussian_weights(sigma, 99)
    assert len(weights) == count
    assert weights[0] + 2 * weights[1:].sum() == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx(np.exp(-0.5 / sigma**2))


def test_a_blur_mirrors_at_the_border():
    a, b = resolution.gaussian_weights(0.5, 9)
    image = torch.tensor([1.0, 2, 4]).reshape(1, 1, 1, 1, 3)
    resolution.blur(image, np.full((1, 1, 3), 0.5))
    expected = [a + 4 * b, 2 * a + 5 * b, 4 * a + 4 * b]
    assert image.flatten().tolist() == pytest.approx(expected, rel=1e-6)


def test_a_blur_of_each_axis_and_channel():
    image = torch.zeros(1, 2, 9, 9, 9)
    image[:, :, 4, 4, 4] = 1
    resolution.blur(image, np.array([[[0.5, 0.8, 1.0], [NAN] * 3]]))
    sides = [resolution.gaussian_weights(sigma, 9) for sigma in (0.5, 0.8, 1.0)]
    x, y, z = (np.pad(np.concatenate([s[:0:-1], s]), 5 - len(s)) for s in sides)
    expected = np.einsum("x,y,z->xyz", x, y, z)
    assert np.allclose(image[0, 0].numpy(), expected, atol=1e-7)
    assert image[0, 1].sum() == 1


def test_low_resolution_takes_nearest_voxels_and_interpolates():
    image = torch.tensor([0.0, 1, 2, 3]).expand(1, 2, 1, 1, 4).clone()
    resolution.lower_resolution(image, np.array([[0.5, NAN]]), (0, 1))
    # Voxels 1 and 3, at 0.5 and 2.5 of the fine grid
    assert image[0, 0].flatten().tolist() == [1, 1.5, 2.5, 3]
    assert image[0, 1].flatten().tolist() == [0, 1, 2, 3]


def test_an_axis_keeps_a_voxel():
    image = torch.tensor([1.0, 3]).reshape(1, 1, 2, 1, 1)
    resolution.lower_resolution(image, np.array([[0.1]]), ())
    assert len(image.unique()) == 1


def test_channels_are_blurred_only_in_samples_that_are():
    blur = Blur(kind="blur", p=0.5, p_channel=0.5, sigma=(0.5, 1))
    rngs = [np.random.default_rng(seed) for seed in range(400)]
    blurred = ~np.isnan(resolution.draw_blur(blur, rngs, 4)).any(axis=2)
    assert blurred.any(axis=1).mean() == pytest.approx(0.5 * (1 - 0.5**4), abs=0.08)
    assert blurred.mean() == pytest.approx(0.25, abs=0.05)
