"""The native CPU kernels as functions of numpy arrays: calls into the library that src/cpu.cpp becomes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from segcube.backends.native.structs import (
    AccumulateArgs,
    ConvolutionArgs,
    Int3,
    NormArgs,
    PointwiseMlpArgs,
    PoolArgs,
    UpsampleAddArgs,
    accumulator_args,
    address,
    call,
    float_strides,
    has_contiguous_rows,
    supports_accumulator,
)
from segcube.backends.protocol import AccumulatorView
from segcube.core import cpu_count

ROWS = 2
"""The axis of x, y and z along which rows run."""
IDENTITY_NORM = np.array([0, 1, 0, 1], np.float32)
"""Mean, scale, shift and slope of a channel that is read unchanged."""


@dataclass(frozen=True)
class ConvWeights:
    """A convolution's weights and geometry."""

    kernel: np.ndarray
    """(K, C, x, y, z); transposed: (C, K, x, y, z); depthwise: (C, 1, x, y, z)."""
    bias: np.ndarray | None
    """(K)."""
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    """Zeros before the image, on each axis; what is needed behind it follows from the output's size."""

    @property
    def geometry(self) -> tuple[tuple[int, ...], ...]:
        """Everything that does not depend on the weights' values."""
        return self.kernel.shape, self.stride, self.padding

    def as_pointwise(self) -> ConvWeights:
        """A transposed convolution of a 1x1x1 kernel as a plain one, without the stride."""
        kernel = np.ascontiguousarray(self.kernel.swapaxes(0, 1))
        return replace(self, kernel=kernel, stride=(1,) * len(self.stride))


@dataclass(frozen=True)
class Affine:
    """What follows an image's normalisation: scale and shift (C), and a leaky rectifier."""

    scale: np.ndarray
    shift: np.ndarray
    epsilon: float
    slope: float
    """Below zero; 1 for no rectifier."""

    def input_norm(self, moments: np.ndarray) -> np.ndarray:
        """Mean, scale, shift and slope of each channel (C, 4), float32, from means and variances (C, 2)."""
        mean, variance = moments[:, 0], moments[:, 1].astype(np.float64)
        scale = self.scale / np.sqrt(variance + self.epsilon)
        slope = np.full(mean.shape, self.slope)
        return np.stack([mean, scale, self.shift, slope], axis=1).astype(np.float32)


class LayerInput(NamedTuple):
    """Some or all channels of a layer's input, and how each is normalised while it is read."""

    image: np.ndarray
    """(C, X, Y, Z)."""
    norm: np.ndarray | None = None
    """`Affine.input_norm`; None to read the image unchanged."""


class UpsampleAddInputs(NamedTuple):
    """What `upsample_add` adds."""

    skip: np.ndarray | None
    """(K, X, Y, Z); None for zeros."""
    image: np.ndarray
    sparse: np.ndarray | None
    bias: np.ndarray | None
    """(K), added to the image."""


@dataclass(frozen=True)
class NativeKernels:
    """Layers of one window on all cores; arrays are C-ordered float32."""

    library: ctypes.CDLL
    vectors: str
    """The processor's vector extension that the library was built for."""

    def convolve(
        self,
        inputs: Sequence[LayerInput],
        weights: ConvWeights,
        out: np.ndarray | AccumulatorView,
        moments: np.ndarray | None = None,
    ) -> None:
        """Convolve an image whose channels may lie in several arrays.

        inputs: together all channels of the kernel. out: (K, X, Y, Z), written; or an accumulator of that
        shape, added to. moments: (K, 2), written along with out: mean and variance of each output. Raises
        MemoryError.
        """
        outputs, channels = weights.kernel.shape[:2]
        args = _convolution_args(inputs, weights, (channels, outputs), out, moments)
        call(self.library.segcube_convolve, args)

    def convolve_transposed(self, image: LayerInput, weights: ConvWeights, out: np.ndarray) -> None:
        """Transposed convolution with a stride as large as its kernel (C, K, x, y, z): blocks of outputs."""
        channels, outputs = weights.kernel.shape[:2]
        args = _convolution_args([image], weights, (channels, outputs), out, None)
        call(self.library.segcube_convolve_transposed, args)

    def depthwise(
        self,
        image: LayerInput,
        weights: ConvWeights,
        out: np.ndarray,
        moments: np.ndarray | None,
        *,
        transposed: bool = False,
    ) -> None:
        """Depthwise convolution, kernel (C, 1, x, y, z); moments: as for `convolve`.

        transposed: weights.padding then holds the number of first voxels that the output lacks.
        """
        channels = len(image.image), len(image.image)
        args = _convolution_args([image], weights, channels, out, moments)
        plain, other = self.library.segcube_depthwise, self.library.segcube_depthwise_transposed
        call(other if transposed else plain, args)

    def pointwise_mlp(
        self,
        image: LayerInput,
        weights: tuple[ConvWeights, ConvWeights],
        residual: np.ndarray | None,
        out: np.ndarray,
    ) -> None:
        """Write residual + compress(gelu(expand(image))).

        weights: of expand (E, C, 1, 1, 1) and compress (K, E, 1, 1, 1).
        """
        expand, compress = weights
        arrays = (expand.kernel, expand.bias, compress.kernel, compress.bias, residual, out)
        sizes = image.image[0].size, len(image.image), len(expand.kernel), len(compress.kernel)
        args = PointwiseMlpArgs(*map(address, image), *map(address, arrays), *sizes, cpu_count())
        call(self.library.segcube_pointwise_mlp, args)

    def upsample_add(
        self, inputs: UpsampleAddInputs, padding: tuple[int, ...], stride: tuple[int, ...], out: np.ndarray
    ) -> None:
        """Write skip + pad(image + bias + sparse), (K, X, Y, Z).

        padding: voxels of the output before the image, on each axis. stride: between voxels of `sparse` in
        the image.
        """
        arrays = (address(array) for array in (*inputs, out))
        sizes = (Int3(*size) for size in (out.shape[1:], inputs.image.shape[1:], padding, stride))
        call(self.library.segcube_upsample_add, UpsampleAddArgs(*arrays, *sizes, len(out), cpu_count()))

    def norm(self, image: LayerInput, residual: LayerInput | None, slope: float, out: np.ndarray) -> None:
        """Write leaky(norm(image) + norm(residual)) of that slope below zero; image.norm must be given."""
        arrays = (address(array) for array in (*image, *(residual or (None, None)), out))
        args = NormArgs(*arrays, image.image[0].size, slope, len(image.image), cpu_count())
        call(self.library.segcube_norm, args)

    def pool(self, image: LayerInput, block: tuple[int, ...], out: np.ndarray) -> None:
        """Write the mean of each block of voxels (x, y, z); out: (C, X // x, Y // y, Z // z)."""
        arrays = (address(array) for array in (*image, out))
        sizes = Int3(*image.image.shape[1:]), Int3(*block)
        call(self.library.segcube_pool, PoolArgs(*arrays, *sizes, len(image.image), cpu_count()))

    def accumulate(self, window_kxyz: np.ndarray, view: AccumulatorView) -> bool:
        """Add a window to an accumulator of its shape; False, and nothing is added, for unsupported arrays.

        Supported are float32 arrays with contiguous rows, mirrored or not.
        """
        if not (supports_accumulator(view) and has_contiguous_rows(window_kxyz)):
            return False
        assert view.sum_kxyz.shape == window_kxyz.shape, "window and accumulator have the same shape"
        if window_kxyz.strides[-1] < 0:
            window_kxyz, view = np.flip(window_kxyz, ROWS + 1), view.mirrored([ROWS])
        arrays = accumulator_args(view), address(window_kxyz), float_strides(window_kxyz)
        args = AccumulateArgs(*arrays, Int3(*window_kxyz.shape[1:]), len(window_kxyz), cpu_count())
        call(self.library.segcube_accumulate, args)
        return True


def _convolution_args(
    inputs: Sequence[LayerInput],
    weights: ConvWeights,
    channels: tuple[int, int],
    out: np.ndarray | AccumulatorView,
    moments: np.ndarray | None,
) -> ConvolutionArgs:
    """channels: of input and output."""
    written, view = (None, out) if isinstance(out, AccumulatorView) else (out, None)
    size = out.sum_kxyz.shape if isinstance(out, AccumulatorView) else out.shape
    addresses = [
        address(image) + channel * image[0].nbytes for image, _ in inputs for channel in range(len(image))
    ]
    assert len(addresses) == channels[0], "the inputs have the kernel's channels"
    return ConvolutionArgs(
        (ctypes.c_void_p * channels[0])(*addresses),
        _input_norms(inputs, channels[0]),
        address(weights.kernel),
        address(weights.bias),
        address(written),
        None if view is None else ctypes.pointer(accumulator_args(view)),
        address(moments),
        *channels,
        Int3(*inputs[0].image.shape[1:]),
        Int3(*size[1:]),
        Int3(*weights.kernel.shape[2:]),
        Int3(*weights.stride),
        Int3(*weights.padding),
        cpu_count(),
    )


def _input_norms(inputs: Sequence[LayerInput], channels: int) -> ctypes.Array[ctypes.c_float] | None:
    """The norms of all channels, copied so that the struct keeps them alive."""
    if all(norm is None for _, norm in inputs):
        return None
    each = [np.tile(IDENTITY_NORM, (len(image), 1)) if norm is None else norm for image, norm in inputs]
    return (ctypes.c_float * (4 * channels))(*np.concatenate(each).ravel().tolist())
