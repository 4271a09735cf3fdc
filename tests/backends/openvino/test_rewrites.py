from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13

from segcube.backends.openvino.rewrites import (
    Phase,
    phases,
    replace_transposed_depthwise,
    split_concatenations,
    use_exact_norms,
)


def run(model: ov.Model, window_ncxyz: np.ndarray) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([window_ncxyz])[0].copy()


def kinds(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


KIND = "GroupConvolutionBackpropData"
GROUPS = 3
INPUT_SIZE = (4, 5, 3)


def transposed(kernel, strides, pads, more=(0, 0, 0), outputs: int = 1) -> tuple[ov.Model, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((GROUPS, 1, outputs, *kernel)).astype(np.float32)
    window = opset13.parameter((1, GROUPS, *INPUT_SIZE), np.float32)
    logits = opset13.group_convolution_backprop_data(
        window, opset13.constant(weights), strides, None, pads, pads, [1] * 3, "explicit", more
    )
    return ov.Model([opset13.result(logits)], [window], "transposed"), weights


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "more"),
    [
        ((3, 3, 3), (2, 2, 2), (1, 1, 1), (0, 0, 0)),
        ((3, 3, 3), (2, 2, 2), (1, 1, 1), (1, 1, 1)),
        ((2, 2, 2), (2, 2, 2), (0, 0, 0), (0, 0, 0)),
        ((4, 3, 3), (3, 3, 3), (1, 0, 0), (0, 0, 0)),
        ((1, 3, 5), (1, 2, 3), (0, 1, 1), (0, 0, 0)),
    ],
)
def test_phases_give_what_the_transposed_convolution_gives(kernel, strides, pads, more):
    model, weights = transposed(kernel, strides, pads, more)
    window_ncxyz = np.random.default_rng(1).standard_normal((1, GROUPS, *INPUT_SIZE)).astype(np.float32)
    expected = torch.nn.functional.conv_transpose3d(
        torch.from_numpy(window_ncxyz),
        torch.from_numpy(weights[:, 0]),
        stride=strides,
        padding=pads,
        output_padding=more,
        groups=GROUPS,
    )
    replace_transposed_depthwise(model)
    assert KIND not in kinds(model)
    np.testing.assert_allclose(run(model, window_ncxyz), expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "outputs"),
    [
        ((3, 3, 3), (2, 2, 2), (1, 1, 1), 2),
        ((1, 1, 1), (2, 2, 2), (0, 0, 0), 1),
        ((3, 3, 3), (2, 2, 2), (0, 0, 0), 1),
        ((3, 3, 3), (2, 2, 2), (2, 2, 2), 1),
    ],
    ids=["two outputs a channel", "gaps", "more than the phases give", "pads beyond the kernel"],
)
def test_other_transposed_convolutions_stay(kernel, strides, pads, outputs):
    model, _ = transposed(kernel, strides, pads, outputs=outputs)
    replace_transposed_depthwise(model)
    assert KIND in kinds(model)


def test_the_phases_of_a_kernel_of_three():
    assert phases(3, 2, 1) == [Phase([1], 0, 0), Phase([2, 0], 0, 1)]
    assert phases(3, 1, 1) == [Phase([2, 1, 0], 1, 1)]


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


def test_a_large_norm_comes_nearer_to_double_precision():
    window_ncxyz = voxels(LARGE)
    own, native = normed_model(LARGE), normed_model(LARGE)
    use_exact_norms(native)
    assert "MVN" not in kinds(native)
    expected = by_hand(window_ncxyz)
    far, near = (np.abs(run(model, window_ncxyz) - expected).max() for model in (own, native))
    assert near < 1e-5
    assert near < far / 2


def test_a_channel_of_one_value_becomes_zero():
    model = normed_model(LARGE)
    use_exact_norms(model)
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
def test_small_norms_and_other_norms_stay(model):
    use_exact_norms(model)
    assert "MVN" in kinds(model)


SPLIT_WINDOW = (1, 2, 4, 5, 6)


def split_window() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(SPLIT_WINDOW).astype(np.float32)


def convolve(node, outputs: int, seed: int):
    shape = (outputs, node.get_output_shape(0)[1], 3, 3, 3)
    kernel_kcxyz = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return opset13.convolution(node, kernel_kcxyz, [1] * 3, [1] * 3, [1] * 3, [1] * 3)


def skipping_model(axis: int = 1) -> ov.Model:
    """Two convolutions of a window, concatenated and convolved again: a U-Net's shape."""
    window = opset13.parameter(SPLIT_WINDOW, np.float32)
    parts = [convolve(window, 2, 1), convolve(window, 2, 2)]
    return ov.Model([opset13.result(convolve(opset13.concat(parts, axis), 3, 3))], [window], "skip")


def test_a_split_concatenation_gives_the_same_sum():
    model = skipping_model()
    whole = run(model, split_window())
    split_concatenations(model)
    assert "Concat" not in kinds(model)
    assert kinds(model).count("Convolution") == 4
    np.testing.assert_allclose(run(model, split_window()), whole, rtol=1e-5, atol=1e-4)


def test_a_concatenation_of_voxels_stays():
    model = skipping_model(axis=2)
    split_concatenations(model)
    assert "Concat" in kinds(model)


def test_a_concatenation_that_something_else_reads_stays():
    window = opset13.parameter(SPLIT_WINDOW, np.float32)
    both = opset13.concat([window, convolve(window, 2, 1)], 1)
    model = ov.Model([opset13.result(opset13.add(convolve(both, 4, 2), both))], [window], "read twice")
    split_concatenations(model)
    assert "Concat" in kinds(model)
