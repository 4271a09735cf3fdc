from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from monai.data.utils import compute_importance_map, dense_patch_slices
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from segcube.inference.windows import (
    _nnunet_gaussian,
    importance_map,
    monai_starts,
    nnunet_starts,
    plan_windows,
)
from segcube.spec.submission import Window


def test_nnunet_steps_spread_evenly_over_the_axis():
    assert nnunet_starts(10, 4, 0.5) == [0, 2, 4, 6]
    assert nnunet_starts(11, 4, 0.5) == [0, 2, 4, 5, 7]
    assert nnunet_starts(4, 4, 0.5) == [0]


def test_windows_of_one_slice_take_each_slice_once():
    assert nnunet_starts(4, 1, 0.5) == [0, 1, 2, 3]
    assert monai_starts(4, 1, 0.5) == [0, 1, 2, 3]


def test_monai_steps_are_those_of_dense_patch_slices():
    for length, overlap in product([4, 5, 9, 13], [0.0, 0.25, 0.5, 0.9]):
        interval = 4 if length == 4 else max(int(4 * (1 - overlap)), 1)
        expected = [part[0].start for part in dense_patch_slices((length,), (4,), (interval,))]
        assert monai_starts(length, 4, overlap) == expected, (length, overlap)


def test_monai_gaussian_has_its_floor():
    window = Window(size=(8, 5, 16), plan="monai", blend="gaussian")
    expected = compute_importance_map((8, 5, 16), mode="gaussian", sigma_scale=0.125).numpy()
    np.testing.assert_allclose(importance_map(window), expected, atol=1e-7)
    assert importance_map(window).min() == pytest.approx(1e-3)


def test_nnunet_gaussian_is_a_blurred_impulse_in_half_precision():
    size = (8, 5, 16)
    impulse = np.zeros(size)
    impulse[4, 2, 8] = 1
    blurred = gaussian_filter(impulse, [n / 8 for n in size], mode="constant")
    halves = (blurred * (10 / blurred.max())).astype(np.float16)
    weights = importance_map(Window(size=size, plan="nnunet"))
    np.testing.assert_array_equal(weights, np.where(halves == 0, halves[halves > 0].min(), halves))


def test_a_grid_smaller_than_the_window_lies_in_its_middle():
    plan = plan_windows((3, 4, 9), Window(size=(6, 4, 5)))
    assert {start[0] for start in plan.starts} == {-1}
    assert plan.in_grid(plan.starts[0])[0] == slice(0, 3)
    assert plan.in_window(plan.starts[0])[0] == slice(1, 4)


def test_a_mirrored_plan_has_the_coordinates_of_the_unmirrored_grid():
    plan = plan_windows((10, 4, 4), Window(size=(4, 4, 4), overlap=0.25, plan="monai"))
    assert [start[0] for start in plan.starts] == [0, 3, 6]
    plan = plan_windows((9, 4, 4), Window(size=(4, 4, 4), overlap=0.25, plan="monai"))
    assert [start[0] for start in plan.starts] == [0, 3, 5]
    assert [start[0] for start in plan.mirrored((0,)).starts] == [5, 2, 0]


def test_only_windows_that_meet_a_mask_are_kept():
    plan = plan_windows((12, 4, 4), Window(size=(4, 4, 4), overlap=0.0))
    mask_xyz = np.zeros((12, 4, 4), dtype=bool)
    mask_xyz[9, 1, 1] = True
    assert plan.meeting(mask_xyz).starts == ((8, 0, 0),)


def test_the_gaussian_is_scipys_to_the_last_digit():
    for size in (1, 5, 8, 13, 128, 160):
        impulse = np.zeros(size)
        impulse[size // 2] = 1.0
        expected = gaussian_filter1d(impulse, size / 8, mode="constant")
        np.testing.assert_array_equal(_nnunet_gaussian(size), expected, err_msg=f"size {size}")
