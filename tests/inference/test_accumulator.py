from __future__ import annotations

from operator import imul, itruediv

import numpy as np
import pytest
import torch

from segcube.core import arrays as slabs
from segcube.inference import accumulator
from segcube.inference.accumulator import scale_by_importance
from segcube.inference.windows import WindowPlan

IMPORTANCE_XYZ = np.float32([1, 2, 4]).reshape(3, 1, 1)


WINDOWS = {
    "two that overlap, then none": (6, (0, 1), [1, 2 + 1, 4 + 2, 4, None, None]),
    "one at the end": (5, (2,), [None, None, 1, 2, 4]),
    "one that begins before the grid": (2, (-1,), [2, 4]),
    "none at all": (4, (), [None] * 4),
}
"""Planes of the grid, where windows begin, and their summed importance on each plane."""


@pytest.mark.parametrize(
    ("of", "slab_bytes"), [(np.array, 1), (torch.tensor, 2**17)], ids=["numpy by slabs", "torch"]
)
def test_each_voxel_is_scaled_by_the_summed_importance_of_its_windows(monkeypatch, of, slab_bytes):
    monkeypatch.setattr(slabs, "SLAB_BYTES", slab_bytes)
    for name, (length, starts, summed) in WINDOWS.items():
        check_scaling(of, name, length, starts, summed)


def check_scaling(of, name: str, length: int, starts, summed) -> None:
    plan = WindowPlan((length, 1, 1), (3, 1, 1), tuple((start, 0, 0) for start in starts), IMPORTANCE_XYZ)
    counts = np.float32([1 if c is None else c for c in summed])
    before = np.float32(range(1, 2 * length + 1)).reshape(2, length, 1, 1)
    sum_kxyz = of(before)
    scale_by_importance(imul, sum_kxyz, plan, of(IMPORTANCE_XYZ))
    np.testing.assert_array_equal(np.asarray(sum_kxyz), before * counts[:, None, None], name)
    scale_by_importance(itruediv, sum_kxyz, plan, of(IMPORTANCE_XYZ))
    np.testing.assert_allclose(np.asarray(sum_kxyz), before, rtol=1e-6, err_msg=name)


@pytest.fixture(params=["kernel", "whole", "slabs"])
def _adding(request, monkeypatch):
    """By the native kernel, or without it: everything in one slab, or a slab a plane."""
    if request.param != "kernel":
        monkeypatch.setattr(accumulator, "add_to_accumulator", lambda *_: False)
    monkeypatch.setattr(slabs, "SLAB_BYTES", 1 if request.param == "slabs" else 2**17)


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.usefixtures("_adding")
def test_outputs_of_mirrored_views_are_added():
    sum_nkxyz, others_nkxyz = numbers(2, 3, 5, 2, 2), np.flip(numbers(2, 3, 5, 2, 2), axis=2)
    expected = sum_nkxyz + others_nkxyz
    accumulator.add(sum_nkxyz, others_nkxyz)
    np.testing.assert_array_equal(sum_nkxyz, expected)


@pytest.mark.usefixtures("_adding")
@pytest.mark.parametrize("of", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_a_window_is_added_times_its_channel_weights_and_importance(of):
    sum_kxyz, window_kxyz = of(np.ones((2, 3, 1, 2), np.float32)), of(numbers(2, 3, 1, 2))
    first, second = 0.25, 2.0
    importance_xyz = of(np.float32([[[4, 8]], [[4, 0]], [[2, 4]]]))
    accumulator.add_weighted(window_kxyz, of(np.float32([first, second])), importance_xyz, sum_kxyz)
    np.testing.assert_array_equal(
        np.asarray(sum_kxyz)[:, :, 0],
        [
            [[1, 1 + 8 * first], [1 + 8 * first, 1], [1 + 8 * first, 1 + 20 * first]],
            [
                [1 + 24 * second, 1 + 56 * second],
                [1 + 32 * second, 1],
                [1 + 20 * second, 1 + 44 * second],
            ],
        ],
    )
