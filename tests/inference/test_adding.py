from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.core import arrays as slabs
from segcube.inference import accumulator as adding


@pytest.fixture(params=["kernel", "whole", "slabs"])
def _slabs(request, monkeypatch):
    """By our own kernel, or without: everything in one slab, or a slab a plane."""
    if request.param != "kernel":
        monkeypatch.setattr(adding, "native_kernels", lambda: None)
    monkeypatch.setattr(slabs, "SLAB_BYTES", 1 if request.param == "slabs" else 2**17)


def numbers(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.usefixtures("_slabs")
def test_windows_are_added_to_others_and_mirrored_ones_as_they_look():
    sum_nkxyz, others_nkxyz = numbers(2, 3, 5, 2, 2), np.flip(numbers(2, 3, 5, 2, 2), axis=2)
    expected = sum_nkxyz + others_nkxyz
    adding.add(sum_nkxyz, others_nkxyz)
    np.testing.assert_array_equal(sum_nkxyz, expected)


@pytest.mark.usefixtures("_slabs")
@pytest.mark.parametrize("channel_weights", [(0.5, 0.5), (0.25, 2.0)], ids=["alike", "apart"])
@pytest.mark.parametrize("of", [np.array, torch.tensor], ids=["numpy", "torch"])
def test_a_window_counts_by_its_say_and_its_voxels_weight(channel_weights, of):
    sum_kxyz, window_kxyz = of(np.ones((2, 3, 1, 2), np.float32)), of(numbers(2, 3, 1, 2))
    weight_xyz = of(np.float32([[[4, 8]], [[4, 0]], [[2, 4]]]))
    adding.add_weighted(sum_kxyz, window_kxyz, of(np.float32(channel_weights)), weight_xyz)
    first, second = channel_weights
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
