from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.core import arrays


@pytest.fixture(params=[2**17, 5 * 4 * 6, 1], ids=["one slab", "slabs of 5 rows", "slabs of 1 row"])
def volume_xyz(request, monkeypatch) -> np.ndarray:
    monkeypatch.setattr(arrays, "SLAB_BYTES", request.param)
    return np.arange(7 * 2 * 3, dtype=np.float32).reshape(7, 2, 3)


def test_each_voxel_is_in_one_slab(volume_xyz):
    expected = volume_xyz + 1

    def add_one(slab: slice) -> None:
        volume_xyz[slab] += 1

    arrays.for_each_slab(add_one, volume_xyz)
    assert np.array_equal(volume_xyz, expected)


def test_slab_sums_add_up_to_the_sum_of_the_volume(volume_xyz):
    assert arrays.sum_over_slabs(lambda slab: float(volume_xyz[slab].sum()), volume_xyz) == volume_xyz.sum()


def test_a_torch_tensor_is_one_slab(volume_xyz):
    seen = []
    arrays.for_each_slab(seen.append, torch.from_numpy(volume_xyz))
    assert seen == [slice(0, 7)]


def test_a_volume_without_voxels_has_no_slabs():
    assert arrays.sum_over_slabs(lambda _: 1.0, np.zeros((0, 2, 3), np.float32)) == 0


def test_the_error_of_a_slab_is_raised(volume_xyz):
    def fail(_: slice) -> None:
        raise ValueError("in a slab")

    with pytest.raises(ValueError, match="in a slab"):
        arrays.for_each_slab(fail, volume_xyz)
