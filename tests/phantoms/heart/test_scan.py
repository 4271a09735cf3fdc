from dataclasses import replace

import numpy as np
import pytest

from segcube.phantoms.fields import Space
from segcube.phantoms.heart.scan import acquire_heart, draw_heart_scan

FINE = Space(np.arange(0, 60, 0.625), np.arange(0, 60, 0.625), np.arange(0, 25, 2.5))


@pytest.fixture
def scan():
    """A scan with noise alone."""
    drawn = draw_heart_scan(np.random.default_rng(0))
    return replace(drawn, bias=0.0, ghost=0.0, slab=0.0, noise=0.1, blur_mm=0.6, scale=1000.0)


def test_noise_has_its_deviation_at_the_resolution_of_the_scan(scan):
    image = acquire_heart(np.full(FINE.shape, 5.0), FINE, scan)
    assert image.mean() == pytest.approx(5000, rel=0.01)
    assert image.std() == pytest.approx(100, rel=0.15)


def test_noise_averages_out_in_larger_voxels(scan):
    coarse = Space(np.arange(0, 300, 5.0), np.arange(0, 300, 5.0), np.arange(0, 25, 2.5))
    assert acquire_heart(np.full(coarse.shape, 5.0), coarse, scan).std() < 50


def test_the_signal_fades_at_the_ends_of_the_slab(scan):
    image = acquire_heart(np.ones(FINE.shape), FINE, replace(scan, slab=0.3, noise=0.0))
    assert image[0, 0, 0] < 0.8 * image[0, 0, 5]
    assert image[0, 0, 5] == 1000


def test_breathing_adds_a_displaced_image(scan):
    signal = np.zeros(FINE.shape)
    signal[:, 40:50] = 1
    ghost = replace(scan, ghost=0.2, ghost_mm=20.0, noise=0.0)
    image = acquire_heart(signal, FINE, ghost)
    assert image[48, 45 + 32, 5] == pytest.approx(200, abs=5)
