from __future__ import annotations

import numpy as np
import pytest

from segcube.backends import AccumulatorView

GRID = (9, 11, 43)
WEIGHT_K = np.float32([1, 0.5, -2])


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("size", "turned"),
    [((4, 5, 37), ()), ((4, 5, 37), (2,)), ((9, 11, 43), (0, 1, 2)), ((1, 1, 1), ())],
)
def test_a_window_is_added_where_it_lies(kernels, size, turned):
    sum_kxyz, window_kxyz = values(3, *GRID), np.flip(values(3, *size, seed=1), [axis + 1 for axis in turned])
    inner = tuple(slice(n - length, n) for n, length in zip(GRID, size, strict=True))
    expected = sum_kxyz.copy()
    expected[(slice(None), *inner)] += window_kxyz * WEIGHT_K[:, None, None, None]
    assert kernels.accumulate(window_kxyz, AccumulatorView(sum_kxyz[(slice(None), *inner)], WEIGHT_K))
    np.testing.assert_allclose(sum_kxyz, expected, atol=1e-6)


@pytest.mark.parametrize("turned", [(), (2,), (0, 1, 2)])
def test_each_voxel_counts_by_its_weight(kernels, turned):
    sum_kxyz = values(3, *GRID)
    window_kxyz = np.flip(values(3, 4, 5, 37, seed=1), [axis + 1 for axis in turned])
    weight_xyz = values(6, 5, 40, seed=2)[1:5, :, 3:]
    inner = (slice(2, 6), slice(0, 5), slice(6, 43))
    expected = sum_kxyz.copy()
    expected[(slice(None), *inner)] += window_kxyz * weight_xyz * WEIGHT_K[:, None, None, None]
    assert kernels.accumulate(
        window_kxyz, AccumulatorView(sum_kxyz[(slice(None), *inner)], WEIGHT_K, weight_xyz)
    )
    np.testing.assert_allclose(sum_kxyz, expected, atol=1e-6)


def test_it_takes_rows_of_floats_in_one_piece(kernels):
    sums, window, weight = values(2, 3, 4, 5), values(2, 2, 4, 5), values(3, 4, 5)
    view, before = AccumulatorView(sums[:, 1:], WEIGHT_K[:2], weight[1:]), sums.copy()
    assert not kernels.accumulate(window, AccumulatorView(sums[:, 1:, :, ::-1], WEIGHT_K[:2], weight[1:]))
    assert not kernels.accumulate(window[..., :3], AccumulatorView(sums[:, 1:, :, ::2], WEIGHT_K[:2]))
    assert not kernels.accumulate(window.astype(np.float64), view)
    assert not kernels.accumulate(np.asfortranarray(window), view)
    assert np.array_equal(sums, before)
    assert kernels.accumulate(window[..., ::-1], view)
    assert kernels.accumulate(window, view.mirrored((2,)))
