"""The project's kernels against torch's functions."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from segcube.backends import AccumulatorView
from segcube.backends.native import find_kernels
from segcube.backends.native.kernels import Affine, ConvWeights, LayerInput, UpsampleAddInputs
from segcube.backends.native.library import CPU_INFO, VECTORS

NEAR = 2e-4
"""Of outputs whose deviation is 1, what Winograd's sums are off at most."""


def test_where_they_can_be_built_they_are_installed():
    flags = CPU_INFO.read_text().split() if CPU_INFO.exists() else []
    if shutil.which("g++") is None or not set(VECTORS["avx2"]) <= set(flags):
        pytest.skip("no g++, or a processor without AVX2")
    assert not isinstance(find_kernels(), str), find_kernels()


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def by_torch(image: np.ndarray, weights: ConvWeights) -> np.ndarray:
    arrays = (torch.from_numpy(array) for array in (image[None], weights.kernel, weights.bias))
    return functional.conv3d(*arrays, stride=weights.stride, padding=weights.padding)[0].numpy()


def weights_of(outputs: int, inputs: int, size=(3, 3, 3), stride=(1, 1, 1)) -> ConvWeights:
    deviation = np.sqrt(inputs * np.prod(size)).astype(np.float32)
    kernel = values(outputs, inputs, *size, seed=1) / deviation
    return ConvWeights(kernel, values(outputs, seed=2), stride, tuple(length // 2 for length in size))


@pytest.mark.parametrize(
    ("size", "outputs", "inputs", "kernel", "stride"),
    [
        pytest.param((5, 14, 16), 6, 4, (3, 3, 3), (1, 1, 1), id="whole tiles"),
        pytest.param((4, 17, 23), 7, 3, (3, 3, 3), (1, 1, 1), id="tiles over the border"),
        pytest.param((2, 15, 130), 5, 3, (1, 3, 3), (1, 1, 1), id="a plane at a time"),
        pytest.param((1, 20, 256), 1, 5, (3, 3, 3), (1, 1, 1), id="one plane"),
        pytest.param((2, 9, 259), 3, 3, (3, 3, 3), (1, 1, 1), id="wider than strips"),
        pytest.param((16, 16, 16), 13, 40, (3, 3, 3), (1, 1, 1), id="many channels"),
        pytest.param((6, 7, 9), 7, 2, (3, 3, 3), (2, 2, 2), id="strides"),
        pytest.param((4, 6, 64), 5, 3, (3, 3, 3), (2, 2, 2), id="strides of whole vectors"),
        pytest.param((5, 6, 7), 3, 2, (5, 3, 1), (3, 1, 3), id="any kernel"),
        pytest.param((3, 4, 5), 9, 6, (1, 1, 1), (1, 1, 1), id="of channels alone"),
        pytest.param((1, 1, 1), 2, 3, (3, 3, 3), (1, 1, 1), id="one voxel"),
    ],
)
def test_convolutions_are_torchs(kernels, size, outputs, inputs, kernel, stride):
    image, weights = values(inputs, *size), weights_of(outputs, inputs, kernel, stride)
    expected = by_torch(image, weights)
    found, moments = np.full_like(expected, np.nan), np.empty((outputs, 2), np.float32)
    kernels.convolve([LayerInput(image)], weights, found, moments)
    np.testing.assert_allclose(found, expected, atol=NEAR)
    wide = found.astype(np.float64)
    np.testing.assert_allclose(moments[:, 0], wide.mean(axis=(1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(moments[:, 1], wide.var(axis=(1, 2, 3)), rtol=2e-6, atol=1e-12)


@pytest.mark.parametrize("size", [(3, 16, 16), (3, 4, 5)])
def test_parts_of_an_image_are_its_channels(kernels, size):
    image, weights = values(7, *size), weights_of(4, 7)
    whole, parted = np.empty((4, *size), np.float32), np.empty((4, *size), np.float32)
    kernels.convolve([LayerInput(image)], weights, whole)
    parts = [LayerInput(image[first:past].copy()) for first, past in ((0, 2), (2, 3), (3, 7))]
    kernels.convolve(parts, weights, parted)
    assert np.array_equal(whole, parted)


def test_the_same_call_gives_the_same_bits(kernels):
    image, weights = values(4, 9, 40, 40), weights_of(5, 4)
    calls = []
    for _ in range(8):
        found, moments = np.empty((5, 9, 40, 40), np.float32), np.empty((5, 2), np.float32)
        kernels.convolve([LayerInput(image)], weights, found, moments)
        calls.append(found.tobytes() + moments.tobytes())
    assert len(set(calls)) == 1


def test_moments_far_from_zero_keep_their_variance(kernels):
    image = values(3, 4, 16, 32)
    weights = ConvWeights(np.zeros((1, 3, 3, 3, 3), np.float32), np.float32([1000]), (1, 1, 1), (1, 1, 1))
    weights.kernel[0, 0, 1, 1, 1] = 1
    found, moments = np.empty((1, 4, 16, 32), np.float32), np.empty((1, 2), np.float32)
    kernels.convolve([LayerInput(image)], weights, found, moments)
    np.testing.assert_allclose(moments[0], [1000 + image[0].mean(), found.astype(float).var()], rtol=1e-5)


@pytest.mark.parametrize(("stride", "width"), [((2, 2, 2), 5), ((2, 2, 2), 20), ((1, 1, 3), 20)])
def test_transposed_convolutions_are_torchs(kernels, stride, width):
    image, kernel, bias = values(5, 3, 4, width), values(5, 7, *stride, seed=1), values(7, seed=2)
    arrays = (torch.from_numpy(array) for array in (image[None], kernel, bias))
    expected = functional.conv_transpose3d(*arrays, stride=stride)[0].numpy()
    found = np.full_like(expected, np.nan)
    kernels.convolve_transposed(LayerInput(image), ConvWeights(kernel, bias, stride, (0, 0, 0)), found)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def read_as(part: LayerInput) -> np.ndarray:
    """An image as a kernel reads it."""
    mean, factor, shift, slope = part.norm.T[..., None, None, None]
    made = (part.image - mean) * factor + shift
    return np.where(made > 0, made, made * slope)


def normed(*shape: int, seed: int) -> LayerInput:
    """An image whose channels are read in ways of their own, one of them as it is."""
    input_norm = values(shape[0], 4, seed=seed)
    input_norm[0] = 0, 1, 0, 1
    return LayerInput(values(*shape, seed=seed + 1), input_norm)


@pytest.mark.parametrize(
    ("kernel", "stride"), [((3, 3, 3), (1, 1, 1)), ((1, 3, 3), (1, 1, 1)), ((3, 3, 3), (2, 2, 2))]
)
def test_a_convolution_norms_what_it_reads(kernels, kernel, stride):
    parts = [normed(3, 5, 18, 19, seed=10), LayerInput(values(2, 5, 18, 19)), normed(2, 5, 18, 19, seed=20)]
    weights = weights_of(4, 7, kernel, stride)
    expected = by_torch(np.concatenate([read_as(parts[0]), parts[1].image, read_as(parts[2])]), weights)
    found = np.full_like(expected, np.nan)
    kernels.convolve(parts, weights, found)
    np.testing.assert_allclose(found, expected, atol=NEAR)


def test_a_transposed_convolution_norms_what_it_reads(kernels):
    part, weights = (
        normed(4, 2, 3, 9, seed=10),
        ConvWeights(values(4, 3, 2, 2, 2), None, (2, 2, 2), (0, 0, 0)),
    )
    found, expected = np.empty((3, 4, 6, 18), np.float32), np.empty((3, 4, 6, 18), np.float32)
    kernels.convolve_transposed(part, weights, found)
    kernels.convolve_transposed(LayerInput(read_as(part)), weights, expected)
    np.testing.assert_allclose(found, expected, atol=1e-6)


DEPTHWISE = [
    pytest.param((9, 17, 23), (3, 3, 3), (1, 1, 1), id="whole and other vectors"),
    pytest.param((17, 20, 31), (3, 3, 3), (2, 2, 2), id="strides"),
    pytest.param((8, 16, 33), (5, 5, 5), (1, 1, 1), id="wide kernels"),
    pytest.param((6, 19, 40), (1, 3, 3), (1, 2, 2), id="planes"),
    pytest.param((5, 6, 7), (7, 7, 7), (1, 1, 1), id="kernels larger than the image"),
    pytest.param((5, 6, 7), (1, 1, 1), (2, 2, 2), id="kernels smaller than strides"),
    pytest.param((12, 7, 50), (3, 5, 4), (3, 1, 3), id="any kernel"),
    pytest.param((1, 1, 1), (3, 3, 3), (2, 2, 2), id="one voxel"),
]


@pytest.mark.parametrize(("size", "kernel", "stride"), DEPTHWISE)
@pytest.mark.parametrize("transposed", [False, True])
def test_depthwise_convolutions_are_torchs(kernels, size, kernel, stride, transposed):
    part, bias = normed(3, *size, seed=10), values(3, seed=2)
    weights = ConvWeights(
        values(3, 1, *kernel, seed=1), bias, stride, tuple(length // 2 for length in kernel)
    )
    convolve = functional.conv_transpose3d if transposed else functional.conv3d
    arrays = (torch.from_numpy(array) for array in (read_as(part)[None], weights.kernel, bias))
    expected = convolve(*arrays, stride=stride, padding=weights.padding, groups=3)[0].numpy()
    found, moments = np.full_like(expected, np.nan), np.empty((3, 2), np.float32)
    kernels.depthwise(part, weights, found, moments, transposed=transposed)
    np.testing.assert_allclose(found, expected, atol=2e-5 * expected.std() + 1e-5)
    wide = found.astype(np.float64)
    np.testing.assert_allclose(moments[:, 0], wide.mean(axis=(1, 2, 3)), atol=1e-5)
    np.testing.assert_allclose(moments[:, 1], wide.var(axis=(1, 2, 3)), rtol=5e-6, atol=1e-12)


def test_an_affine_map_of_moments_is_torchs_norm(kernels):
    image, scale, shift = values(3, 5, 6, 7) * 2 + 1, values(3, seed=2), values(3, seed=3)
    moments = np.stack([image.mean(axis=(1, 2, 3)), image.var(axis=(1, 2, 3))], axis=1)
    found = np.empty_like(image)
    kernels.norm(LayerInput(image, Affine(scale, shift, 1e-5, 0.01).input_norm(moments)), None, 1.0, found)
    arrays = (torch.from_numpy(array) for array in (scale, shift))
    expected = functional.instance_norm(torch.from_numpy(image)[None], None, None, *arrays, eps=1e-5)[0]
    np.testing.assert_allclose(found, functional.leaky_relu(expected, 0.01).numpy(), atol=1e-5)


@pytest.mark.parametrize("beside", [normed(3, 5, 6, 7, seed=4), LayerInput(values(3, 5, 6, 7, seed=4)), None])
def test_a_sum_is_taken_before_the_rectifier(kernels, beside):
    part = normed(3, 5, 6, 7, seed=6)
    found = np.empty((3, 5, 6, 7), np.float32)
    kernels.norm(part, beside, 0.1, found)
    added = 0 if beside is None else beside.image if beside.norm is None else read_as(beside)
    expected = functional.leaky_relu(torch.from_numpy(read_as(part) + added), 0.1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize(("block", "read"), [((2, 2, 2), True), ((2, 2, 2), False), ((3, 1, 4), True)])
def test_means_of_blocks_are_torchs(kernels, block, read):
    part = normed(3, 7, 8, 41, seed=4) if read else LayerInput(values(3, 7, 8, 41))
    image = read_as(part) if read else part.image
    expected = functional.avg_pool3d(torch.from_numpy(image)[None], block)[0].numpy()
    found = np.full_like(expected, np.nan)
    kernels.pool(part, block, found)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "kernel", "turned"),
    [
        ((3, 4, 9), (1, 1, 1), ()),
        ((3, 4, 9), (3, 3, 3), (2,)),
        ((2, 16, 39), (1, 1, 1), (0, 1)),
        ((2, 16, 39), (1, 1, 1), (2,)),
        ((2, 16, 39), (3, 3, 3), ()),
    ],
)
def test_a_convolution_adds_to_a_part_of_a_sum(kernels, size, kernel, turned):
    image, weights, sum_kxyz = values(5, *size), weights_of(2, 5, kernel), values(2, 6, 18, 50, seed=7)
    weight_xyz, channel_weights = values(*size, seed=8), np.array([0.5, -2])
    part = (slice(None), *(slice(2, 2 + length) for length in size))
    logits = np.flip(by_torch(image, weights), tuple(axis + 1 for axis in turned))
    expected = sum_kxyz.copy()
    expected[part] += logits * weight_xyz * channel_weights[:, None, None, None]
    view = AccumulatorView(sum_kxyz[part], channel_weights, weight_xyz).mirrored(turned)
    kernels.convolve([LayerInput(image)], weights, view)
    np.testing.assert_allclose(sum_kxyz, expected, atol=1e-5)


def test_nan_in_an_image_reaches_its_outputs(kernels):
    image, weights = values(3, 3, 16, 16), weights_of(2, 3)
    image[0, 1, 8, 8] = np.nan
    found = np.empty((2, 3, 16, 16), np.float32)
    kernels.convolve([LayerInput(image)], weights, found)
    assert np.isnan(found[:, :, 7:10, 7:10]).all()


@pytest.mark.parametrize(("size", "outputs"), [((1, 14, 14), 4096), ((2, 2, 2), 16384)])
def test_a_kernel_without_memory_raises_memory_error(kernels, size, outputs):
    weights = ConvWeights(np.zeros((outputs, 512, 3, 3, 3), np.float32), None, (1, 1, 1), (1, 1, 1))
    image, found = np.zeros((512, *size), np.float32), np.empty((outputs, *size), np.float32)
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), before[1]))
    try:
        with pytest.raises(MemoryError):
            kernels.convolve([LayerInput(image)], weights, found)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def pointwise(outputs: int, inputs: int, seed: int, biased: bool = True) -> ConvWeights:
    kernel = values(outputs, inputs, 1, 1, 1, seed=seed) / np.float32(inputs**0.5)
    return ConvWeights(kernel, values(outputs, seed=seed + 1) if biased else None, (1, 1, 1), (0, 0, 0))


def pointwise_by_torch(image: np.ndarray, weights: ConvWeights) -> torch.Tensor:
    bias = None if weights.bias is None else torch.from_numpy(weights.bias)
    return functional.conv3d(torch.as_tensor(image), torch.from_numpy(weights.kernel), bias)


@pytest.mark.parametrize(
    ("size", "channels", "has_residual", "biased"),
    [
        pytest.param((3, 5, 7), (5, 11, 7), True, True, id="parts of vectors"),
        pytest.param((4, 8, 32), (8, 16, 8), False, True, id="whole vectors, no residual"),
        pytest.param((1, 1, 1), (3, 6, 2), True, False, id="one voxel, no bias"),
        pytest.param((2, 3, 4), (80, 320, 40), False, False, id="many channels alone"),
    ],
)
def test_pointwise_mlps_are_torchs(kernels, size, channels, has_residual, biased):
    inputs, wide, outputs = channels
    image, residual = values(inputs, *size) * 3, values(outputs, *size, seed=9) if has_residual else None
    weights = pointwise(wide, inputs, 1, biased), pointwise(outputs, wide, 3, biased)
    expected = pointwise_by_torch(functional.gelu(pointwise_by_torch(image, weights[0])), weights[1]).numpy()
    found = np.full_like(expected, np.nan)
    kernels.pointwise_mlp(LayerInput(image), weights, residual, found)
    np.testing.assert_allclose(found, expected + (0 if residual is None else residual), atol=5e-6)


def test_a_pointwise_mlp_norms_what_it_reads(kernels):
    image, weights = values(4, 3, 5, 6), (pointwise(8, 4, 1), pointwise(4, 8, 3))
    input_norm = np.float32([[1, 2, 3, 1], [0, 1, 0, 0], [0, 1, 0, 1], [-1, 0.5, 0, 0.1]])
    mean, factor, shift, slope = input_norm.T[..., None, None, None]
    made = (image - mean) * factor + shift
    found, expected = np.empty_like(image), np.empty_like(image)
    kernels.pointwise_mlp(LayerInput(image, input_norm), weights, None, found)
    kernels.pointwise_mlp(LayerInput(np.where(made > 0, made, made * slope)), weights, None, expected)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_gelu_is_near_its_formula_everywhere(kernels):
    image = np.linspace(-9, 9, 20000, dtype=np.float32).reshape(1, 20, 25, 40)
    one = ConvWeights(np.ones((1, 1, 1, 1, 1), np.float32), None, (1, 1, 1), (0, 0, 0))
    found = np.empty_like(image)
    kernels.pointwise_mlp(LayerInput(image), (one, one), None, found)
    expected = functional.gelu(torch.from_numpy(image).double())
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


@pytest.mark.parametrize(
    ("before", "has_skip", "stride"),
    [
        ((1, 1, 1), True, (2, 2, 2)),
        ((0, 1, 1), False, (2, 2, 2)),
        ((0, 0, 0), True, (1, 2, 3)),
        ((0, 1, 1), True, None),
    ],
)
def test_upsample_add_adds_each_image_at_its_place(kernels, before, has_skip, stride):
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
    kernels.upsample_add(
        UpsampleAddInputs(skip if has_skip else None, image, sparse, bias), before, stride or (1, 1, 1), found
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
