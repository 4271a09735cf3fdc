from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.core import arrays as slabs
from segcube.inference.accumulator import divide_by_cover, multiply_by_cover
from segcube.inference.windows import WindowPlan

WEIGHT_XYZ = np.float32([1, 2, 4]).reshape(3, 1, 1)


@pytest.fixture(params=[1, 2**17], ids=["slabs", "whole"])
def _slabs(request, monkeypatch):
    monkeypatch.setattr(slabs, "SLAB_BYTES", request.param)


@pytest.mark.usefixtures("_slabs")
@pytest.mark.parametrize("of", [np.array, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize(
    ("length", "starts", "cover"),
    [
        pytest.param(6, (0, 1), [1, 2 + 1, 4 + 2, 4, None, None], id="two that overlap, then none"),
        pytest.param(5, (2,), [None, None, 1, 2, 4], id="one at the end"),
        pytest.param(2, (-1,), [2, 4], id="one that begins before the grid"),
        pytest.param(4, (), [None] * 4, id="none at all"),
    ],
)
def test_each_voxel_is_scaled_by_the_weights_of_its_windows(of, length, starts, cover):
    plan = WindowPlan((length, 1, 1), (3, 1, 1), tuple((start, 0, 0) for start in starts), WEIGHT_XYZ)
    counts = np.float32([1 if c is None else c for c in cover])
    before = np.float32(range(1, 2 * length + 1)).reshape(2, length, 1, 1)
    sum_kxyz = of(before)
    multiply_by_cover(sum_kxyz, plan, of(WEIGHT_XYZ))
    np.testing.assert_array_equal(np.asarray(sum_kxyz), before * counts[:, None, None])
    divide_by_cover(sum_kxyz, plan, of(WEIGHT_XYZ))
    np.testing.assert_allclose(np.asarray(sum_kxyz), before, rtol=1e-6)
