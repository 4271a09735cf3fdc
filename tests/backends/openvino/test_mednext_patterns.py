from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from openvino import opset13

from segcube.backends.openvino.mednext_patterns import find_mlps, find_upsamples

ONES = [1, 1, 1]


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def window(channels: int = 4, size=(4, 6, 8)):
    return opset13.parameter((1, channels, *size), np.float32)


def convolved(image, outputs: int, kernel: int = 1):
    around = [kernel // 2] * 3
    weights = values(outputs, image.get_output_shape(0)[1], kernel, kernel, kernel)
    return opset13.convolution(image, weights, ONES, around, around, ONES)


def mlp_of(image, narrow: int = 1, mode: str = "erf"):
    wide = opset13.add(convolved(image, 8), values(1, 8, 1, 1, 1))
    return convolved(opset13.gelu(wide, mode), 4, narrow)


def model_of(result, image) -> ov.Model:
    return ov.Model([opset13.result(result)], [image], "made")


def test_a_sum_behind_belongs_to_the_first_that_it_adds():
    image = window()
    model = model_of(opset13.add(mlp_of(image), mlp_of(image)), image)
    first, second = find_mlps(model, [])
    assert (first.last.get_type_name(), second.last.get_type_name()) == ("Add", "Convolution")


def test_a_sum_that_is_anothers_is_left_to_it():
    image = window()
    total = opset13.add(mlp_of(image), image)
    (pair,) = find_mlps(model_of(total, image), [total])
    assert [value.get_node() for value in pair.inputs] == [image]


@pytest.mark.parametrize("other", [{"narrow": 3}, {"mode": "tanh"}])
def test_other_pairs_are_no_pointwise_mlp(other):
    image = window()
    assert not find_mlps(model_of(mlp_of(image, **other), image), [])


def test_hidden_channels_with_another_reader_are_no_pointwise_mlp():
    image = window()
    wide = convolved(image, 8)
    both = opset13.concat([convolved(opset13.gelu(wide, "erf"), 4), wide], 1)
    assert not find_mlps(model_of(both, image), [])


def projected(image, kernel: int = 1, outputs: int = 4):
    weights = values(image.get_output_shape(0)[1], outputs, kernel, kernel, kernel)
    return opset13.add(
        opset13.convolution_backprop_data(image, weights, [2, 2, 2]), values(1, outputs, 1, 1, 1)
    )


def padded(image, mode: str = "constant", value: float = 0):
    before = np.array([0, 0, 1, 1, 1])
    return opset13.pad(image, before, np.zeros(5, np.int64), mode, np.float32(value))


def test_an_upsampled_addition_has_its_projection_and_skip():
    image = window()
    own, skip = window(4, (7, 11, 15)), window(4, (8, 12, 16))
    total = opset13.add(skip, padded(opset13.add(own, projected(image))))
    (upsample,) = find_upsamples(ov.Model([opset13.result(total)], [image, own, skip], "made"))
    assert upsample.projection is not None
    assert upsample.projection.bias is not None
    assert [value.get_node() for value in upsample.inputs] == [own, image, skip]
    assert (upsample.last, upsample.padding) == (total, (1, 1, 1))


def test_a_projection_by_a_larger_kernel_is_part_of_the_image():
    image = window()
    (upsample,) = find_upsamples(model_of(padded(projected(image, kernel=3)), image))
    assert upsample.projection is upsample.skip_sum is None


@pytest.mark.parametrize("other", [{"mode": "edge"}, {"value": 1}])
def test_other_borders_are_no_upsampled_addition(other):
    image = window()
    assert not find_upsamples(model_of(padded(image, **other), image))
