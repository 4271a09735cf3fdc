from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from openvino import opset13

from segcube.backends.native import find_kernels
from segcube.backends.native.kernels import NativeKernels
from segcube.backends.native.program import WINDOW, Program, aligned_floats
from segcube.backends.openvino.lowering import lower
from segcube.backends.openvino.network import compile_model
from segcube.backends.openvino.nodes import SPACE

SIZE = (4, 16, 16)


@pytest.fixture
def kernels() -> NativeKernels:
    found = find_kernels()
    if isinstance(found, str):
        pytest.skip("no kernels for this processor are installed")
    return found


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def window(channels: int = 4):
    return opset13.parameter((1, channels, *SIZE), np.float32)


def convolve(image, outputs: int, seed: int, biased: bool = True, stride: int = 1):
    kernel = values(outputs, image.get_output_shape(0)[1], 3, 3, 3, seed=seed) / 10
    ones = [1] * 3
    found = opset13.convolution(image, kernel, [stride] * 3, ones, ones, ones)
    return opset13.add(found, per_channel(outputs, seed + 100)) if biased else found


def per_channel(channels: int, seed: int):
    """As the converter writes it: a flat tensor, reshaped in the graph."""
    return opset13.reshape(values(channels, seed=seed), np.array([1, channels, 1, 1, 1]), False)


def norm(image, seed: int, eps_mode: str = "inside_sqrt"):
    channels = image.get_output_shape(0)[1]
    normed = opset13.mvn(image, np.array(SPACE), True, 1e-5, eps_mode)
    return opset13.add(opset13.multiply(normed, per_channel(channels, seed)), per_channel(channels, seed + 1))


def leaky(image):
    return opset13.prelu(image, np.float32(0.01))


def model_of(result, parameter) -> ov.Model:
    return ov.Model([opset13.result(result)], [parameter], "made")


def run(model: ov.Model) -> np.ndarray:
    return compile_part(model)([values(*model.inputs[0].get_shape())])[0].copy()


def compile_part(model: ov.Model) -> ov.CompiledModel:
    return compile_model(ov.Core(), model, "fp32", pinned=False)


def run_program(program: Program) -> np.ndarray:
    memory = aligned_floats(program.floats)
    memory[...] = np.nan
    buffers = program.buffers(memory)
    found = []
    for _ in range(2):
        buffers[WINDOW][...] = values(*program.sizes[WINDOW])
        for step in program.steps:
            step.run(buffers)
        found.append(buffers[program.logits].copy())
    assert np.array_equal(*found), "what is changed in place is computed again"
    return found[0]


def lowered(model: ov.Model, kernels: NativeKernels) -> list[str]:
    """The steps of a graph's program; it gives the same."""
    expected = run(model)
    program = lower(model, kernels, compile_part)
    assert program is not None
    np.testing.assert_allclose(run_program(program), expected, atol=2e-4)
    return [type(step).__name__ for step in program.steps]


def test_a_convolution_takes_its_bias_and_what_follows_it(kernels):
    image = window()
    model = model_of(leaky(norm(convolve(image, 5, 1), 2)), image)
    assert lowered(model, kernels) == ["Convolution", "InstanceNorm"]


def test_a_residual_is_added_before_the_rectifier(kernels):
    image = window()
    first = leaky(norm(convolve(image, 5, 1), 2))
    second = norm(convolve(first, 5, 3), 4)
    joined = leaky(opset13.add(second, opset13.multiply(np.float32(1), first)))
    model = model_of(convolve(joined, 2, 5), image)
    assert lowered(model, kernels) == ["Convolution", "Convolution", "InstanceNorm", "Convolution"]


def test_two_norms_that_meet_are_both_taken(kernels):
    image = window()
    joined = leaky(opset13.add(norm(convolve(image, 5, 1), 2), norm(convolve(image, 5, 3), 4)))
    assert lowered(model_of(joined, image), kernels) == ["Convolution", "Convolution", "InstanceNorm"]


def test_a_norm_that_convolutions_and_sums_read_has_no_image(kernels):
    image = window()
    low = norm(convolve(image, 5, 1, stride=2), 2)
    first = leaky(low)
    joined = leaky(opset13.add(norm(convolve(first, 5, 3), 4), first))
    up = opset13.convolution_backprop_data(first, values(5, 3, 2, 2, 2, seed=5), [2] * 3)
    parts = [up, leaky(norm(convolve(image, 4, 6), 7))]
    second = opset13.convolution_backprop_data(joined, values(5, 2, 2, 2, 2, seed=9), [2] * 3)
    model = model_of(opset13.add(convolve(opset13.concat(parts, 1), 2, 8), second), image)
    found = sorted(lowered(model, kernels))
    convolutions = ["Convolution"] * 4
    assert found == [*convolutions, "InstanceNorm", "OpenVINOPart", *["TransposedConvolution"] * 2]


def test_a_norm_behind_something_else_finds_what_it_adds_as_it_was(kernels):
    image = window()
    first = leaky(opset13.add(norm(convolve(image, 4, 1), 2), image))
    up = opset13.convolution_backprop_data(
        convolve(first, 6, 3, stride=2), values(6, 4, 2, 2, 2, seed=5), [2] * 3
    )
    joined = leaky(opset13.add(norm(up, 6), first))
    found = lowered(model_of(convolve(joined, 2, 7), image), kernels)
    assert found.count("InstanceNorm") == found.count("OpenVINOPart") == 1


def test_an_image_that_something_else_reads_is_not_changed(kernels):
    image = window()
    raw = convolve(image, 4, 1)
    joined = leaky(opset13.add(norm(raw, 2), image))
    model = model_of(opset13.add(convolve(joined, 4, 3), opset13.tanh(raw)), image)
    assert sorted(lowered(model, kernels)) == ["Convolution", "Convolution", "InstanceNorm", "OpenVINOPart"]


def thickest(image):
    """The largest of all planes: of a concatenation along another axis than the channels'."""
    return opset13.reduce_max(opset13.concat([image, image], 2), np.array([2]), True)


@pytest.mark.parametrize("reader", [opset13.tanh, thickest])
def test_a_norm_that_something_else_reads_too_is_kept(kernels, reader):
    image = window()
    normed = leaky(norm(convolve(image, 4, 1), 2))
    model = model_of(opset13.add(convolve(normed, 4, 3), reader(normed)), image)
    assert "InstanceNorm" in lowered(model, kernels)


def test_a_part_that_something_else_than_a_convolution_reads_is_kept(kernels):
    image = window()
    both = opset13.concat([leaky(norm(convolve(image, 4, 1), 2)), image], 1)
    model = model_of(opset13.add(convolve(both, 8, 3), both), image)
    assert "InstanceNorm" in lowered(model, kernels)


def test_convolutions_of_one_image_stay_two(kernels):
    image = window()
    model = model_of(opset13.subtract(convolve(image, 5, 1), convolve(image, 5, 2)), image)
    assert np.ptp(run(model)) > 1
    assert lowered(model, kernels) == ["Convolution", "Convolution", "OpenVINOPart"]


def test_a_sum_without_rectifier_stays_beside(kernels):
    image = window()
    joined = opset13.add(norm(convolve(image, 4, 1), 2), image)
    assert lowered(model_of(joined, image), kernels) == ["Convolution", "InstanceNorm", "OpenVINOPart"]


def test_what_is_read_twice_is_kept(kernels):
    image = window()
    normed = norm(convolve(image, 4, 1, biased=False), 2)
    model = model_of(opset13.add(leaky(normed), opset13.tanh(normed)), image)
    assert lowered(model, kernels) == ["Convolution", "InstanceNorm", "OpenVINOPart"]


def test_concatenations_are_read_in_parts(kernels):
    image = window()
    parts = [leaky(convolve(image, 3, 1)), convolve(image, 2, 2)]
    model = model_of(convolve(opset13.concat(parts, 1), 4, 3), image)
    assert lowered(model, kernels) == ["Convolution", "OpenVINOPart", "Convolution", "Convolution"]


def test_down_and_up_again(kernels):
    image = window()
    low = leaky(norm(convolve(image, 6, 1, stride=2), 2))
    up = opset13.convolution_backprop_data(low, values(6, 3, 2, 2, 2, seed=5), [2] * 3)
    model = model_of(opset13.add(up, per_channel(3, 6)), image)
    assert lowered(model, kernels) == ["Convolution", "TransposedConvolution"]


def pool(image, block: int, stride: int | None = None, pad: int = 0, rounding: str = "floor"):
    edges, pads = [block] * 3, [pad] * 3
    return opset13.avg_pool(image, [stride or block] * 3, pads, pads, edges, False, rounding)


def test_means_of_blocks_are_native_and_norm_what_they_read(kernels):
    image = window()
    low = pool(leaky(norm(convolve(image, 4, 1), 2)), 2)
    assert lowered(model_of(convolve(low, 2, 3), image), kernels) == [
        "Convolution",
        "AveragePool",
        "Convolution",
    ]


@pytest.mark.parametrize(
    "other", [{"block": 3, "stride": 2}, {"block": 2, "pad": 1}, {"block": 3, "rounding": "ceil"}]
)
def test_means_that_overlap_or_leave_the_image_stay(kernels, other):
    image = window()
    low = pool(convolve(image, 4, 1), **other)
    assert lowered(model_of(low, image), kernels) == ["Convolution", "OpenVINOPart"]


def test_norms_of_another_kind_stay(kernels):
    image = window()
    model = model_of(norm(convolve(image, 5, 1), 2, "outside_sqrt"), image)
    assert lowered(model, kernels) == ["Convolution", "OpenVINOPart"]


def depthwise(image, seed: int, stride: int = 1):
    kernel = values(image.get_output_shape(0)[1], 1, 1, 3, 3, 3, seed=seed)
    return opset13.group_convolution(image, kernel, [stride] * 3, [1] * 3, [1] * 3, [1] * 3)


def pointwise(image, outputs: int, seed: int):
    kernel = values(outputs, image.get_output_shape(0)[1], 1, 1, 1, seed=seed)
    return opset13.add(
        opset13.convolution(image, kernel, [1] * 3, [0] * 3, [0] * 3, [1] * 3), per_channel(outputs, seed)
    )


def block(image, outputs: int, seed: int, spatial=None):
    """A MedNeXt's without its residual."""
    seen = norm(spatial or depthwise(image, seed), seed)
    return pointwise(opset13.gelu(pointwise(seen, 8, seed), "erf"), outputs, seed + 1)


def test_a_block_is_a_depthwise_convolution_and_a_pointwise_mlp(kernels):
    image = window()
    joined = opset13.add(image, block(image, 4, 1))
    expected = ["DepthwiseConvolution", "PointwiseMlp", "Convolution"]
    assert lowered(model_of(pointwise(joined, 2, 5), image), kernels) == expected


def test_a_block_adds_what_the_one_before_made(kernels):
    image = window()
    first = opset13.add(block(image, 4, 1), image)
    model = model_of(opset13.add(block(first, 4, 5), first), image)
    assert lowered(model, kernels) == ["DepthwiseConvolution", "PointwiseMlp"] * 2


def test_down_and_up_again_by_blocks(kernels):
    image = window()
    low = block(image, 6, 1, depthwise(image, 1, stride=2))
    kernel = values(6, 1, 1, 3, 3, 3, seed=2)
    pads = [1] * 3
    spread = opset13.group_convolution_backprop_data(low, kernel, [2] * 3, None, pads, pads)
    projected = opset13.convolution_backprop_data(low, values(6, 4, 1, 1, 1, seed=3), [2] * 3)
    up = opset13.add(block(low, 4, 4, spread), opset13.add(projected, per_channel(4, 5)))
    border = np.array([0, 0, 1, 1, 1]), np.zeros(5, np.int64)
    model = model_of(opset13.add(image, opset13.pad(up, *border, "constant", np.float32(0))), image)
    found = lowered(model, kernels)
    mlps, convolutions = ["PointwiseMlp"] * 2, ["DepthwiseConvolution"] * 2
    assert sorted(found) == ["Convolution", *convolutions, *mlps, "UpsampleAdd"]


def test_a_norm_that_a_pointwise_mlp_reads_in_a_concatenation_is_kept(kernels):
    image = window()
    parts = opset13.concat([leaky(norm(convolve(image, 4, 1), 2)), image], 1)
    model = model_of(pointwise(opset13.gelu(pointwise(parts, 8, 3), "erf"), 2, 4), image)
    assert lowered(model, kernels) == ["Convolution", "InstanceNorm", "OpenVINOPart", "PointwiseMlp"]


def test_a_graph_with_a_gelu_outside_an_mlp_is_left_alone(kernels):
    image = window()
    model = model_of(opset13.gelu(depthwise(image, 1), "erf"), image)
    assert lower(model, kernels, compile_part) is None


def grouped(image):
    kernel = values(2, 2, 2, 3, 3, 3)
    return opset13.group_convolution(image, kernel, [1] * 3, [1] * 3, [1] * 3, [1] * 3)


def overlapping(image):
    return opset13.convolution_backprop_data(image, values(4, 2, 3, 3, 3), [2] * 3)


def dilated(image):
    return opset13.convolution(image, values(2, 4, 3, 3, 3), [1] * 3, [2] * 3, [2] * 3, [2] * 3)


@pytest.mark.parametrize("other", [grouped, overlapping, dilated])
def test_a_graph_with_another_convolution_is_left_alone(kernels, other):
    image = window()
    model = model_of(other(convolve(image, 4, 1)), image)
    before = run(model)
    assert lower(model, kernels, compile_part) is None
    np.testing.assert_array_equal(run(model), before)
