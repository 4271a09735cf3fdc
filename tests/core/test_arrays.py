from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.core import arrays as slabs


@pytest.fixture(params=[2**17, 5 * 4 * 6, 1], ids=["one slab", "slabs of five", "slabs of one"])
def volume_xyz(request, monkeypatch) -> np.ndarray:
    monkeypatch.setattr(slabs, "SLAB_BYTES", request.param)
    return np.arange(7 * 2 * 3, dtype=np.float32).reshape(7, 2, 3)


def test_every_voxel_is_worked_on_once(volume_xyz):
    expected = volume_xyz + 1

    def raise_by_one(slab: slice) -> None:
        volume_xyz[slab] += 1

    slabs.in_slabs(raise_by_one, volume_xyz)
    assert np.array_equal(volume_xyz, expected)


def test_sums_of_slabs_are_the_whole_sum(volume_xyz):
    assert slabs.sum_of_slabs(lambda slab: float(volume_xyz[slab].sum()), volume_xyz) == volume_xyz.sum()


def test_another_devices_array_is_one_slab(volume_xyz):
    seen = []
    slabs.in_slabs(seen.append, torch.from_numpy(volume_xyz))
    assert seen == [slice(0, 7)]


def test_a_volume_without_voxels_has_no_slab():
    assert slabs.sum_of_slabs(lambda _: 1.0, np.zeros((0, 2, 3), np.float32)) == 0


def test_what_a_slab_raises_is_raised(volume_xyz):
    def fail(_: slice) -> None:
        raise ValueError("of a slab")

    with pytest.raises(ValueError, match="of a slab"):
        slabs.in_slabs(fail, volume_xyz)
