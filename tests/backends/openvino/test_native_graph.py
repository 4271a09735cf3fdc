from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from openvino import opset13

from segcube.backends.native import find_kernels
from segcube.backends.native.kernels import NativeKernels
from segcube.backends.openvino.native_graph import run_natively
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


def run(model: ov.Model) -> list[np.ndarray]:
    image = values(*model.inputs[0].get_shape())
    options = {"INFERENCE_PRECISION_HINT": "f32", "ENABLE_CPU_PINNING": "NO"}
    compiled = ov.Core().compile_model(model, "CPU", options)
    first, again = ([found.copy() for found in compiled([image]).values()] for _ in range(2))
    assert all(map(np.array_equal, first, again)), "what is changed in place is made anew"
    return first


def kinds(model: ov.Model) -> list[str]:
    plain = ("Constant", "Parameter", "Reshape", "Result")
    return [kind for node in model.get_ordered_ops() if (kind := node.get_type_name()) not in plain]


def kinds_natively(model: ov.Model, kernels: NativeKernels) -> list[str]:
    """What a graph consists of with native kernels in it; it gives the same."""
    expected = run(model)
    assert run_natively(model, kernels)
    for found, before in zip(run(model), expected, strict=True):
        np.testing.assert_allclose(found, before, atol=2e-4)
    return kinds(model)


def assert_same_natively(model: ov.Model, kernels: NativeKernels, expected_kinds: list[str]) -> None:
    assert kinds_natively(model, kernels) == expected_kinds


def test_a_convolution_takes_its_bias_and_what_follows_it(kernels):
    image = window()
    model = model_of(leaky(norm(convolve(image, 5, 1), 2)), image)
    assert_same_natively(model, kernels, ["NativeConvolution", "NativeInstanceNorm"])


def test_a_residual_is_added_before_the_rectifier(kernels):
    image = window()
    first = leaky(norm(convolve(image, 5, 1), 2))
    second = norm(convolve(first, 5, 3), 4)
    joined = leaky(opset13.add(second, opset13.multiply(np.float32(1), first)))
    model = model_of(convolve(joined, 2, 5), image)
    assert_same_natively(
        model, kernels, ["NativeConvolution", "NativeConvolution", "NativeInstanceNorm", "NativeConvolution"]
    )


def test_two_norms_that_meet_are_both_taken(kernels):
    image = window()
    joined = leaky(opset13.add(norm(convolve(image, 5, 1), 2), norm(convolve(image, 5, 3), 4)))
    assert_same_natively(
        model_of(joined, image), kernels, ["NativeConvolution", "NativeConvolution", "NativeInstanceNorm"]
    )


def test_a_norm_that_convolutions_and_sums_read_has_no_image(kernels):
    image = window()
    low = norm(convolve(image, 5, 1, stride=2), 2)
    first = leaky(low)
    joined = leaky(opset13.add(norm(convolve(first, 5, 3), 4), first))
    up = opset13.convolution_backprop_data(first, values(5, 3, 2, 2, 2, seed=5), [2] * 3)
    parts = [up, leaky(norm(convolve(image, 4, 6), 7))]
    model = model_of(convolve(opset13.concat(parts, 1), 2, 8), image)
    model = ov.Model([*model.get_results(), opset13.result(convolve(joined, 1, 9))], [image], "made")
    found = sorted(kinds_natively(model, kernels))
    assert found == ["NativeConvolution"] * 5 + ["NativeInstanceNorm", "NativeTransposedConvolution"]


def test_a_norm_behind_something_else_finds_what_it_adds_as_it_was(kernels):
    image = window()
    first = leaky(opset13.add(norm(convolve(image, 4, 1), 2), image))
    up = opset13.convolution_backprop_data(
        convolve(first, 6, 3, stride=2), values(6, 4, 2, 2, 2, seed=5), [2] * 3
    )
    joined = leaky(opset13.add(norm(up, 6), first))
    found = kinds_natively(model_of(convolve(joined, 2, 7), image), kernels)
    assert found.count("NativeInstanceNorm") == found.count("MVN") == 1


def test_an_image_that_something_else_reads_is_not_changed(kernels):
    image = window()
    raw = convolve(image, 4, 1)
    joined = leaky(opset13.add(norm(raw, 2), image))
    results = [opset13.result(convolve(joined, 2, 3)), opset13.result(opset13.tanh(raw))]
    found = kinds_natively(ov.Model(results, [image], "made"), kernels)
    assert sorted(found) == ["NativeConvolution", "NativeConvolution", "NativeInstanceNorm", "Tanh"]


@pytest.mark.parametrize("reader", [opset13.tanh, lambda image: opset13.concat([image, image], 2)])
def test_a_norm_that_something_else_reads_too_is_kept(kernels, reader):
    image = window()
    normed = leaky(norm(convolve(image, 4, 1), 2))
    model = model_of(convolve(normed, 2, 3), image)
    model = ov.Model([*model.get_results(), opset13.result(reader(normed))], [image], "made")
    assert "NativeInstanceNorm" in kinds_natively(model, kernels)


def test_a_part_that_something_else_than_a_convolution_reads_is_kept(kernels):
    image = window()
    both = opset13.concat([leaky(norm(convolve(image, 4, 1), 2)), image], 1)
    model = ov.Model([opset13.result(convolve(both, 2, 3)), opset13.result(both)], [image], "made")
    assert "NativeInstanceNorm" in kinds_natively(model, kernels)


def test_convolutions_of_one_image_stay_two(kernels):
    image = window()
    model = model_of(opset13.subtract(convolve(image, 5, 1), convolve(image, 5, 2)), image)
    assert_same_natively(model, kernels, ["NativeConvolution", "NativeConvolution", "Subtract"])
    assert np.ptp(run(model)[0]) > 1


def test_a_sum_without_rectifier_stays_beside(kernels):
    image = window()
    joined = opset13.add(norm(convolve(image, 4, 1), 2), image)
    assert_same_natively(model_of(joined, image), kernels, ["NativeConvolution", "NativeInstanceNorm", "Add"])


def test_what_is_read_twice_is_kept(kernels):
    image = window()
    normed = norm(convolve(image, 4, 1, biased=False), 2)
    model = model_of(opset13.add(leaky(normed), opset13.tanh(normed)), image)
    assert_same_natively(model, kernels, ["NativeConvolution", "NativeInstanceNorm", "PRelu", "Tanh", "Add"])


def test_concatenations_are_read_in_parts(kernels):
    image = window()
    parts = [leaky(convolve(image, 3, 1)), convolve(image, 2, 2)]
    model = model_of(convolve(opset13.concat(parts, 1), 4, 3), image)
    assert_same_natively(
        model, kernels, ["NativeConvolution", "PRelu", "NativeConvolution", "NativeConvolution"]
    )


def test_down_and_up_again(kernels):
    image = window()
    low = leaky(norm(convolve(image, 6, 1, stride=2), 2))
    up = opset13.convolution_backprop_data(low, values(6, 3, 2, 2, 2, seed=5), [2] * 3)
    model = model_of(opset13.add(up, per_channel(3, 6)), image)
    assert_same_natively(model, kernels, ["NativeConvolution", "NativeTransposedConvolution"])


def pool(image, block: int, stride: int | None = None, pad: int = 0, rounding: str = "floor"):
    edges, pads = [block] * 3, [pad] * 3
    return opset13.avg_pool(image, [stride or block] * 3, pads, pads, edges, False, rounding)


def test_means_of_blocks_are_native_and_norm_what_they_read(kernels):
    image = window()
    low = pool(leaky(norm(convolve(image, 4, 1), 2)), 2)
    assert_same_natively(
        model_of(convolve(low, 2, 3), image),
        kernels,
        ["NativeConvolution", "NativeAveragePool", "NativeConvolution"],
    )


@pytest.mark.parametrize(
    "other", [{"block": 3, "stride": 2}, {"block": 2, "pad": 1}, {"block": 3, "rounding": "ceil"}]
)
def test_means_that_overlap_or_leave_the_image_stay(kernels, other):
    image = window()
    low = pool(convolve(image, 4, 1), **other)
    assert_same_natively(model_of(low, image), kernels, ["NativeConvolution", "AvgPool"])


def test_norms_of_another_kind_stay(kernels):
    image = window()
    model = model_of(norm(convolve(image, 5, 1), 2, "outside_sqrt"), image)
    assert_same_natively(model, kernels, ["NativeConvolution", "MVN", "Multiply", "Add"])


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
    expected = ["NativeDepthwiseConvolution", "NativePointwiseMlp", "NativeConvolution"]
    assert_same_natively(model_of(pointwise(joined, 2, 5), image), kernels, expected)


def test_a_block_adds_what_the_one_before_made(kernels):
    image = window()
    first = opset13.add(block(image, 4, 1), image)
    model = model_of(opset13.add(block(first, 4, 5), first), image)
    assert_same_natively(model, kernels, ["NativeDepthwiseConvolution", "NativePointwiseMlp"] * 2)


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
    found = kinds_natively(model, kernels)
    mlps, convolutions = ["NativePointwiseMlp"] * 2, ["NativeDepthwiseConvolution"] * 2
    assert sorted(found) == ["NativeConvolution", *convolutions, *mlps, "NativeUpsampleAdd"]


def test_a_norm_that_a_pointwise_mlp_reads_in_a_concatenation_is_kept(kernels):
    image = window()
    parts = opset13.concat([leaky(norm(convolve(image, 4, 1), 2)), image], 1)
    model = model_of(pointwise(opset13.gelu(pointwise(parts, 8, 3), "erf"), 2, 4), image)
    assert_same_natively(
        model, kernels, ["NativeConvolution", "NativeInstanceNorm", "Concat", "NativePointwiseMlp"]
    )


def test_a_graph_with_a_gelu_outside_an_mlp_is_left_alone(kernels):
    image = window()
    model = model_of(opset13.gelu(depthwise(image, 1), "erf"), image)
    assert run_natively(model, kernels) == []


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
    before = kinds(model)
    assert run_natively(model, kernels) == []
    assert kinds(model) == before
