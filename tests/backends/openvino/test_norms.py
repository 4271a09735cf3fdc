from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from openvino import opset13

from segcube.backends.openvino.norms import norm_exactly

EPSILON = 1e-3
LARGE, SMALL = (65, 66, 64), (64, 64, 64)
"""A voxel more and less than OpenVINO's own norm is left; the first in cubes that reach over its border."""


def normed_model(sizes, axes=(2, 3, 4), eps_mode="inside_sqrt") -> ov.Model:
    """A norm between two depthwise convolutions, so that its channels lie side by side in memory."""
    window = opset13.parameter((1, 8, *sizes), np.float32)
    same = np.ones((8, 1, 1, 1, 1, 1), np.float32)
    before = opset13.group_convolution(window, same, [1] * 3, [0] * 3, [0] * 3, [1] * 3)
    normed = opset13.mvn(before, np.array(axes), True, EPSILON, eps_mode)
    after = opset13.group_convolution(normed, same, [1] * 3, [0] * 3, [0] * 3, [1] * 3)
    return ov.Model([opset13.result(after)], [window], "norm")


def voxels(sizes) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal((1, 8, *sizes)) * 4 + 9).astype(np.float32)


def by_hand(window_ncxyz: np.ndarray) -> np.ndarray:
    double = window_ncxyz.astype(np.float64)
    mean = double.mean((2, 3, 4), keepdims=True)
    return (double - mean) / np.sqrt(double.var((2, 3, 4), keepdims=True) + EPSILON)


def run(model: ov.Model, window_ncxyz: np.ndarray) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([window_ncxyz])[0].copy()


def kinds(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


def test_a_large_norm_comes_nearer_to_double_precision():
    window_ncxyz = voxels(LARGE)
    own, ours = normed_model(LARGE), normed_model(LARGE)
    norm_exactly(ours)
    assert "MVN" not in kinds(ours)
    expected = by_hand(window_ncxyz)
    far, near = (np.abs(run(model, window_ncxyz) - expected).max() for model in (own, ours))
    assert near < 1e-5
    assert near < far / 2


def test_a_channel_of_one_value_becomes_zero():
    model = normed_model(LARGE)
    norm_exactly(model)
    window_ncxyz = np.full((1, 8, *LARGE), 3, np.float32)
    assert np.abs(run(model, window_ncxyz)).max() < 1e-3


@pytest.mark.parametrize(
    "model",
    [
        normed_model(SMALL),
        normed_model(LARGE, axes=(1, 2, 3, 4)),
        normed_model(LARGE, eps_mode="outside_sqrt"),
    ],
    ids=["small", "over channels", "another formula"],
)
def test_others_stay(model):
    norm_exactly(model)
    assert "MVN" in kinds(model)
