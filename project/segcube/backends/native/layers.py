"""The steps of a native program: each kernel with its weights and the numbers of the buffers it works on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

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
Buffers: TypeAlias = "Sequence[np.ndarray]"
"""Arrays by their numbers: images (1, C, X, Y, Z), moments (C, 2)."""


class Step(Protocol):
    """A call that reads some buffers and writes others."""

    @property
    def reads(self) -> tuple[int, ...]:
        """Numbers of the buffers that it reads."""
        ...

    @property
    def writes(self) -> tuple[int, ...]:
        """Numbers of the buffers that it writes."""
        ...

    def run(self, buffers: Buffers) -> None:
        """Write the buffers. Raises MemoryError."""
        ...


class Image(NamedTuple):
    """A buffer that holds an image, and how a layer reads it."""

    buffer: int
    moments: int | None = None
    """The buffer of its channels' means and variances, where a convolution writes them."""
    affine: Affine | None = None
    """Follows the normalisation by the moments; None to read the image unchanged."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the buffers of the image and its moments."""
        return (self.buffer,) if self.moments is None else (self.buffer, self.moments)

    def array(self, buffers: Buffers) -> np.ndarray:
        """The image, (C, X, Y, Z)."""
        return buffers[self.buffer][0]

    def input(self, buffers: Buffers) -> LayerInput:
        """The image with the norm that its moments give."""
        if self.affine is None or self.moments is None:
            return LayerInput(self.array(buffers))
        return LayerInput(self.array(buffers), self.affine.input_norm(buffers[self.moments]))


@dataclass(frozen=True)
class Layer(ABC):
    """A native kernel: one output image from one or more input images."""

    kernels: NativeKernels
    inputs: tuple[Image, ...]
    out: Image

    @property
    def reads(self) -> tuple[int, ...]:
        return tuple(number for image in self.inputs for number in image.numbers)

    @property
    def writes(self) -> tuple[int, ...]:
        return self.out.numbers

    @abstractmethod
    def run(self, buffers: Buffers) -> None:
        """Write the output image. Raises MemoryError."""

    def layer_inputs(self, buffers: Buffers) -> list[LayerInput]:
        """The images as they are read."""
        return [image.input(buffers) for image in self.inputs]


@dataclass(frozen=True)
class Convolution(Layer):
    """A convolution of the input images' concatenation, and perhaps its moments."""

    weights: ConvWeights

    def run(self, buffers: Buffers) -> None:
        moments = None if self.out.moments is None else buffers[self.out.moments]
        self.kernels.convolve(self.layer_inputs(buffers), self.weights, self.out.array(buffers), moments)

    def add(self, buffers: Buffers, view: AccumulatorView) -> None:
        """Add the image to an accumulator instead of writing it; for 1x1x1 kernels alone."""
        self.kernels.convolve(self.layer_inputs(buffers), self.weights, view)


@dataclass(frozen=True)
class TransposedConvolution(Layer):
    """A transposed convolution whose stride is its kernel's size."""

    weights: ConvWeights

    def run(self, buffers: Buffers) -> None:
        (image,) = self.layer_inputs(buffers)
        self.kernels.convolve_transposed(image, self.weights, self.out.array(buffers))


@dataclass(frozen=True)
class DepthwiseConvolution(Layer):
    """A convolution with one kernel per channel, and its moments."""

    weights: ConvWeights
    transposed: bool

    def run(self, buffers: Buffers) -> None:
        (image,) = self.layer_inputs(buffers)
        moments = None if self.out.moments is None else buffers[self.out.moments]
        out_kxyz = self.out.array(buffers)
        self.kernels.depthwise(image, self.weights, out_kxyz, moments, transposed=self.transposed)


@dataclass(frozen=True)
class InstanceNorm(Layer):
    """An image normalised, perhaps with a residual and a rectifier; the output may be the image itself."""

    slope: float
    """Of the rectifier behind the sum; 1 for none."""

    def run(self, buffers: Buffers) -> None:
        image, *residual = self.layer_inputs(buffers)
        self.kernels.norm(image, residual[0] if residual else None, self.slope, self.out.array(buffers))


@dataclass(frozen=True)
class AveragePool(Layer):
    """The means of an image's blocks."""

    block: Size
    """(x, y, z)."""

    def run(self, buffers: Buffers) -> None:
        (image,) = self.layer_inputs(buffers)
        self.kernels.pool(image, self.block, self.out.array(buffers))


@dataclass(frozen=True)
class PointwiseMlp(Layer):
    """residual + compress(gelu(expand(image))) of an image and perhaps a residual."""

    weights: tuple[ConvWeights, ConvWeights]
    """Of both pointwise convolutions."""

    def run(self, buffers: Buffers) -> None:
        image, *residual = self.layer_inputs(buffers)
        added = residual[0].image if residual else None
        self.kernels.pointwise_mlp(image, self.weights, added, self.out.array(buffers))


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

    def run(self, buffers: Buffers) -> None:
        image, *others = (image.array(buffers) for image in self.inputs)
        skip = others.pop() if self.has_skip else None
        added = UpsampleAddInputs(skip, image, others[0] if others else None, self.bias)
        self.kernels.upsample_add(added, self.padding, self.stride or (1, 1, 1), self.out.array(buffers))
