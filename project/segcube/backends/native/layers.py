"""Layers of a graph that the native kernels compute: what each needs, and what it writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np

from segcube.backends.native.kernels import (
    Affine,
    ConvWeights,
    LayerInput,
    NativeKernels,
    UpsampleAddInputs,
)
from segcube.backends.protocol import AccumulatorView

Size: TypeAlias = "tuple[int, ...]"


class NormedInPlace:
    """An image that an `InstanceNorm` in place has normalised; its TOKEN output follows the image."""


Norms: TypeAlias = "tuple[Affine | NormedInPlace | None, ...]"
"""How each input image is read: normalised with its moments, which follow it; None unchanged."""
TOKEN = (1,)
"""The size of an output without content: its readers run after the node that writes it."""


@dataclass(frozen=True)
class Layer(ABC):
    """The computation of a node: one output image from one or more input images (1, C, X, Y, Z)."""

    kernels: NativeKernels
    size: Size
    """(1, K, X, Y, Z): of the output image."""
    norms: Norms
    has_moments: ClassVar[bool] = False
    """Whether it writes the image's moments (K, 2) beside it."""

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Of the outputs: the image, and its moments where it has them."""
        return (self.size, (self.size[1], 2)) if self.has_moments else (self.size,)

    @abstractmethod
    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write the outputs."""


@dataclass(frozen=True)
class Convolution(Layer):
    """A convolution of the input images' concatenation, and its moments (K, 2)."""

    weights: ConvWeights
    accumulator: AccumulatorView | None = None
    """Where the image is added instead of being written; no moments are written then."""
    has_moments = True

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        image, moments = outputs
        images = layer_inputs(inputs, self.norms)
        if self.accumulator is None:
            self.kernels.convolve(images, self.weights, image[0], moments)
        else:
            self.kernels.convolve(images, self.weights, self.accumulator)


@dataclass(frozen=True)
class TransposedConvolution(Layer):
    """A transposed convolution whose stride is its kernel's size."""

    weights: ConvWeights

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        (image,) = layer_inputs(inputs, self.norms)
        self.kernels.convolve_transposed(image, self.weights, outputs[0][0])


@dataclass(frozen=True)
class DepthwiseConvolution(Layer):
    """A convolution with one kernel per channel, and its moments (K, 2)."""

    weights: ConvWeights
    transposed: bool
    has_moments = True

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        (image,) = layer_inputs(inputs, self.norms)
        self.kernels.depthwise(image, self.weights, outputs[0][0], outputs[1], transposed=self.transposed)


@dataclass(frozen=True)
class InstanceNorm(Layer):
    """An image normalised, perhaps with a residual and a rectifier; in place where its size is TOKEN."""

    slope: float
    """Of the rectifier behind the sum; 1 for none."""

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        image, *residual = layer_inputs(inputs, self.norms)
        out = image.image if self.size == TOKEN else outputs[0][0]
        self.kernels.norm(image, residual[0] if residual else None, self.slope, out)


@dataclass(frozen=True)
class AveragePool(Layer):
    """The means of an image's blocks."""

    block: Size
    """(x, y, z)."""

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        (image,) = layer_inputs(inputs, self.norms)
        self.kernels.pool(image, self.block, outputs[0][0])


@dataclass(frozen=True)
class PointwiseMlp(Layer):
    """residual + compress(gelu(expand(image))) of an image and perhaps a residual."""

    weights: tuple[ConvWeights, ConvWeights]
    """Of both pointwise convolutions."""

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        image, *residual = layer_inputs(inputs, self.norms)
        added = residual[0].image if residual else None
        self.kernels.pointwise_mlp(image, self.weights, added, outputs[0][0])


@dataclass(frozen=True)
class UpsampleAdd(Layer):
    """The sum of a padded image and perhaps a sparse image and a skip, in this order of inputs."""

    bias: np.ndarray | None
    """(K), added to the image."""
    padding: Size
    """Voxels of the sum before the image, on each axis."""
    stride: Size | None
    """Between the sparse image's voxels; None without one."""
    has_skip: bool

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        image, *others = (array[0] for array in inputs)
        skip = others.pop() if self.has_skip else None
        added = UpsampleAddInputs(skip, image, others[0] if others else None, self.bias)
        self.kernels.upsample_add(added, self.padding, self.stride or (1, 1, 1), outputs[0][0])


def layer_inputs(inputs: Sequence[np.ndarray], norms: Norms) -> list[LayerInput]:
    """A node's images, each with the norm that its moments give."""
    arrays, images = iter(inputs), list[LayerInput]()
    for norm in norms:
        image, moments = next(arrays)[0], None if norm is None else next(arrays)
        read_as = norm.input_norm(moments) if isinstance(norm, Affine) and moments is not None else None
        images.append(LayerInput(image, read_as))
    return images


def form(layer: Layer) -> Hashable:
    """What two layers have in common if one may replace the other in a compiled graph: all but weights."""
    values = [getattr(layer, field.name) for field in fields(layer) if field.name != "kernels"]
    return type(layer).__name__, *map(_without_weights, values)


def _without_weights(value: Any) -> Hashable:
    if isinstance(value, tuple):
        return tuple(map(_without_weights, value))
    if isinstance(value, ConvWeights):
        return value.geometry
    return type(value).__name__ if isinstance(value, Affine | NormedInPlace | np.ndarray) else value
