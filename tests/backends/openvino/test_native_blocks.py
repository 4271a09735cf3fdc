"""The end of a MedNeXt's block: our kernels against torch's functions, and where graphs have it."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
import torch
from openvino import opset13
from torch.nn import functional

from segcube.backends.native.kernels import Part, Summands, Taps
from segcube.backends.openvino.native_blocks import find_lifted, find_widened

ONES = [1, 1, 1]
NONE = [0, 0, 0]


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def pointwise(outputs: int, inputs: int, seed: int, biased: bool = True) -> Taps:
    kernel = values(outputs, inputs, 1, 1, 1, seed=seed) / np.float32(inputs**0.5)
    return Taps(kernel, values(outputs, seed=seed + 1) if biased else None, (1, 1, 1), (0, 0, 0))


def by_torch(image: np.ndarray, taps: Taps) -> torch.Tensor:
    bias = None if taps.bias is None else torch.from_numpy(taps.bias)
    return functional.conv3d(torch.as_tensor(image), torch.from_numpy(taps.kernel), bias)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("has_residual", [True, False])
@pytest.mark.parametrize(
    ("size", "channels"),
    [((3, 5, 7), (5, 11, 7)), ((4, 8, 32), (8, 16, 8)), ((1, 1, 1), (3, 6, 2)), ((2, 3, 4), (80, 320, 40))],
)
def test_widening_is_torchs(kernels, size, channels, has_residual, biased):
    inputs, wide, outputs = channels
    image, residual = values(inputs, *size) * 3, values(outputs, *size, seed=9) if has_residual else None
    taps = pointwise(wide, inputs, 1, biased), pointwise(outputs, wide, 3, biased)
    expected = by_torch(functional.gelu(by_torch(image, taps[0])), taps[1]).numpy()
    found = np.full_like(expected, np.nan)
    kernels.widen(Part(image), taps, residual, found)
    np.testing.assert_allclose(found, expected + (0 if residual is None else residual), atol=5e-6)


def test_widening_norms_what_it_reads(kernels):
    image, taps = values(4, 3, 5, 6), (pointwise(8, 4, 1), pointwise(4, 8, 3))
    readings = np.float32([[1, 2, 3, 1], [0, 1, 0, 0], [0, 1, 0, 1], [-1, 0.5, 0, 0.1]])
    mean, factor, shift, slope = readings.T[..., None, None, None]
    made = (image - mean) * factor + shift
    found, expected = np.empty_like(image), np.empty_like(image)
    kernels.widen(Part(image, readings), taps, None, found)
    kernels.widen(Part(np.where(made > 0, made, made * slope)), taps, None, expected)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_gelu_is_near_its_formula_everywhere(kernels):
    image = np.linspace(-9, 9, 20000, dtype=np.float32).reshape(1, 20, 25, 40)
    one = Taps(np.ones((1, 1, 1, 1, 1), np.float32), None, (1, 1, 1), (0, 0, 0))
    found = np.empty_like(image)
    kernels.widen(Part(image), (one, one), None, found)
    expected = functional.gelu(torch.from_numpy(image).double())
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


@pytest.mark.parametrize("before", [(1, 1, 1), (0, 1, 1), (0, 0, 0)])
@pytest.mark.parametrize("has_skip", [True, False])
@pytest.mark.parametrize("stride", [(2, 2, 2), (1, 2, 3), None])
def test_lifting_adds_each_where_it_lies(kernels, before, has_skip, stride):
    skip, image, bias = values(2, 6, 8, 21), values(2, 5, 7, 19, seed=1), values(2, seed=2)
    expected = skip.copy() if has_skip else np.zeros_like(skip)
    inner = (slice(None), *(slice(at, at + n) for at, n in zip(before, image.shape[1:], strict=True)))
    expected[inner] += image + bias[:, None, None, None]
    sparse = None
    if stride is not None:
        apart = (slice(None), *(slice(None, None, step) for step in stride))
        sparse = values(*image[apart].shape, seed=3)
        expected[inner][apart] += sparse
    found = np.full_like(skip, np.nan)
    kernels.lift(
        Summands(skip if has_skip else None, image, sparse, bias), before, stride or (1, 1, 1), found
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


def window(channels: int = 4, size=(4, 6, 8)):
    return opset13.parameter((1, channels, *size), np.float32)


def convolved(image, outputs: int, kernel: int = 1):
    around = [kernel // 2] * 3
    weights = values(outputs, image.get_output_shape(0)[1], kernel, kernel, kernel)
    return opset13.convolution(image, weights, ONES, around, around, ONES)


def widened(image, narrow: int = 1, mode: str = "erf"):
    wide = opset13.add(convolved(image, 8), values(1, 8, 1, 1, 1))
    return convolved(opset13.gelu(wide, mode), 4, narrow)


def model_of(result, image) -> ov.Model:
    return ov.Model([opset13.result(result)], [image], "made")


def test_a_sum_behind_belongs_to_the_first_that_it_adds():
    image = window()
    model = model_of(opset13.add(widened(image), widened(image)), image)
    first, second = find_widened(model, [])
    assert (first.last.get_type_name(), second.last.get_type_name()) == ("Add", "Convolution")


def test_a_sum_that_is_anothers_is_left_to_it():
    image = window()
    total = opset13.add(widened(image), image)
    (pair,) = find_widened(model_of(total, image), [total])
    assert pair.residual is None


@pytest.mark.parametrize("other", [{"narrow": 3}, {"mode": "tanh"}])
def test_other_pairs_are_not_widened(other):
    image = window()
    assert not find_widened(model_of(widened(image, **other), image), [])


def test_what_something_else_reads_is_not_widened():
    image = window()
    wide = convolved(image, 8)
    both = opset13.concat([convolved(opset13.gelu(wide, "erf"), 4), wide], 1)
    assert not find_widened(model_of(both, image), [])


def projected(image, kernel: int = 1, outputs: int = 4):
    weights = values(image.get_output_shape(0)[1], outputs, kernel, kernel, kernel)
    return opset13.add(
        opset13.convolution_backprop_data(image, weights, [2, 2, 2]), values(1, outputs, 1, 1, 1)
    )


def padded(image, mode: str = "constant", value: float = 0):
    before = np.array([0, 0, 1, 1, 1])
    return opset13.pad(image, before, np.zeros(5, np.int64), mode, np.float32(value))


def test_a_way_up_is_lifted_with_its_projection_and_skip():
    image = window()
    own, skip = window(4, (7, 11, 15)), window(4, (8, 12, 16))
    total = opset13.add(skip, padded(opset13.add(own, projected(image))))
    (lifted,) = find_lifted(ov.Model([opset13.result(total)], [image, own, skip], "made"))
    assert lifted.projection is not None
    assert lifted.projection.bias is not None
    assert (lifted.image.get_node(), lifted.skip.get_node()) == (own, skip)
    assert (lifted.last, lifted.before) == (total, (1, 1, 1))


def test_a_projection_of_several_taps_is_part_of_the_image():
    image = window()
    (lifted,) = find_lifted(model_of(padded(projected(image, kernel=3)), image))
    assert lifted.projection is lifted.skip is None


@pytest.mark.parametrize("other", [{"mode": "edge"}, {"value": 1}])
def test_other_borders_are_not_lifted(other):
    image = window()
    assert not find_lifted(model_of(padded(image, **other), image))
