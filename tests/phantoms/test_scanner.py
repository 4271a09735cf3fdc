from dataclasses import replace

import numpy as np
import pytest

from segcube.phantoms.fields import Space
from segcube.phantoms.scanner import ScannerRanges, acquire, draw_scan, move, sensitivity, slice_matrices

SPACE = Space(np.arange(12.0), np.arange(10.0), np.arange(8.0))
PERFECT = replace(
    draw_scan(np.random.default_rng(0), ScannerRanges(), is_reference=True),
    blur_mm=0.0,
    thick_mm=0.0,
    bias=0.0,
    noise=0.0,
    gamma=1.0,
    ghost=0.0,
    clip_percentile=100.0,
    scale=100.0,
)


@pytest.fixture
def signal():
    return np.random.default_rng(1).uniform(0.2, 2, SPACE.shape)


def test_a_perfect_scanner_changes_nothing_but_the_scale(signal):
    np.testing.assert_array_equal(acquire(signal, SPACE, PERFECT, level=0.5), np.rint(signal * 200))


def test_the_reference_channel_stays_where_it_is():
    assert PERFECT.shift_mm == PERFECT.turn_deg == (0, 0, 0)
    other = draw_scan(np.random.default_rng(0), ScannerRanges())
    assert all((*other.shift_mm, *other.turn_deg))


def test_the_same_scan_gives_the_same_image(signal):
    scan = draw_scan(np.random.default_rng(5), ScannerRanges())
    first, again = (acquire(signal, SPACE, scan, 1.0) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (acquire(signal, SPACE, replace(scan, seed=6), 1.0) != first).any()


def test_moving_shifts_by_millimetres(signal):
    space = Space(SPACE.x, SPACE.y * 2, -SPACE.z)
    np.testing.assert_allclose(move(signal, space, (1, 0, 0), (0, 0, 0))[:-1], signal[1:])
    np.testing.assert_allclose(move(signal, space, (0, 2, 0), (0, 0, 0))[:, :-1], signal[:, 1:])
    np.testing.assert_allclose(move(signal, space, (0, 0, 1), (0, 0, 0))[..., 1:], signal[..., :-1])


def test_turning_by_a_right_angle_swaps_axes():
    square = np.random.default_rng(2).random((5, 5, 3))
    space = Space(np.arange(5.0), np.arange(5.0), np.arange(3.0))
    np.testing.assert_allclose(move(square, space, (0, 0, 0), (0, 0, 90)), np.rot90(square, 3), atol=1e-9)


def test_thick_slices_average_and_interpolate():
    down, back = slice_matrices(np.arange(13.0), 4.0)
    assert (down.shape, back.shape) == ((4, 13), (13, 4))
    np.testing.assert_allclose(down.sum(axis=1), 1)
    np.testing.assert_allclose(back.sum(axis=1), 1)
    np.testing.assert_allclose(back[5], [0, 0.75, 0.25, 0])


def test_noise_is_rician_and_less_in_large_voxels():
    scan = replace(PERFECT, noise=0.05, scale=10000.0)
    large = Space(SPACE.x * 2, SPACE.y * 2, SPACE.z * 2)
    fine, coarse = (acquire(np.ones(SPACE.shape), space, scan, 1.0).std() for space in (SPACE, large))
    assert fine == pytest.approx(500, rel=0.1)
    assert coarse == pytest.approx(500 / 8**0.5, rel=0.1)
    # Without signal the mean is that of a Rayleigh distribution
    assert acquire(np.zeros(SPACE.shape), SPACE, scan, 1.0).mean() == pytest.approx(
        500 * (np.pi / 2) ** 0.5, rel=0.1
    )


def test_the_coil_varies_slowly():
    wide = Space(*(np.arange(0.0, 200.0, 5.0),) * 3)
    field = np.log(sensitivity(np.random.default_rng(0), wide, 0.2, 60))
    assert field.std() == pytest.approx(0.2, rel=0.4)
    assert np.abs(np.diff(field, axis=0)).max() < 0.1
