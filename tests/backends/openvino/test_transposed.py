from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13

from segcube.backends.openvino.transposed import Phase, phases, say_transposed_as_plain

KIND = "GroupConvolutionBackpropData"
CHANNELS = 3
SIZES = (4, 5, 3)


def transposed(kernel, strides, pads, more=(0, 0, 0), outputs: int = 1) -> tuple[ov.Model, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((CHANNELS, 1, outputs, *kernel)).astype(np.float32)
    window = opset13.parameter((1, CHANNELS, *SIZES), np.float32)
    said = opset13.group_convolution_backprop_data(
        window, opset13.constant(weights), strides, None, pads, pads, [1] * 3, "explicit", more
    )
    return ov.Model([opset13.result(said)], [window], "transposed"), weights


def run(model: ov.Model, window_ncxyz: np.ndarray) -> np.ndarray:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([window_ncxyz])[0].copy()


def kinds(model: ov.Model) -> list[str]:
    return [node.get_type_name() for node in model.get_ordered_ops()]


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "more"),
    [
        ((3, 3, 3), (2, 2, 2), (1, 1, 1), (0, 0, 0)),
        ((3, 3, 3), (2, 2, 2), (1, 1, 1), (1, 1, 1)),
        ((5, 5, 5), (2, 2, 2), (2, 2, 2), (0, 0, 0)),
        ((2, 2, 2), (2, 2, 2), (0, 0, 0), (0, 0, 0)),
        ((4, 3, 3), (3, 3, 3), (1, 0, 0), (0, 0, 0)),
        ((3, 3, 3), (1, 2, 2), (1, 1, 1), (0, 0, 0)),
        ((1, 3, 5), (1, 2, 3), (0, 1, 1), (0, 0, 0)),
    ],
)
def test_phases_give_what_the_transposed_convolution_gives(kernel, strides, pads, more):
    model, weights = transposed(kernel, strides, pads, more)
    window_ncxyz = np.random.default_rng(1).standard_normal((1, CHANNELS, *SIZES)).astype(np.float32)
    expected = torch.nn.functional.conv_transpose3d(
        torch.from_numpy(window_ncxyz),
        torch.from_numpy(weights[:, 0]),
        stride=strides,
        padding=pads,
        output_padding=more,
        groups=CHANNELS,
    )
    say_transposed_as_plain(model)
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
def test_others_stay(kernel, strides, pads, outputs):
    model, _ = transposed(kernel, strides, pads, outputs=outputs)
    say_transposed_as_plain(model)
    assert KIND in kinds(model)


def test_the_phases_of_a_kernel_of_three():
    assert phases(3, 2, 1) == [Phase([1], 0, 0), Phase([2, 0], 0, 1)]
    assert phases(3, 1, 1) == [Phase([2, 1, 0], 1, 1)]
