"""Our own kernels for a CPU: the library that src/cpu.cpp becomes, and calls into it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from segcube.backends.native.library import NoLibrary, load_library
from segcube.backends.native.structs import (
    ConvolutionTold,
    LiftTold,
    NormTold,
    PoolTold,
    Three,
    WideningTold,
    address,
    call,
    onto_struct,
)
from segcube.backends.protocol import AccumulatorView
from segcube.core import cores

AS_IT_IS = np.array([0, 1, 0, 1], np.float32)
"""The reading of a channel that nothing is done to."""


@dataclass(frozen=True)
class Taps:
    """A convolution's weights, and where they go."""

    kernel: np.ndarray
    """(K, C, x, y, z); transposed: (C, K, x, y, z); depthwise: (C, 1, x, y, z)."""
    bias: np.ndarray | None
    """(K)."""
    stride: tuple[int, ...]
    before: tuple[int, ...]
    """Zeros before the image, on each axis."""

    @property
    def form(self) -> tuple[tuple[int, ...], ...]:
        """What does not depend on the weights."""
        return self.kernel.shape, self.stride, self.before

    def of_one_tap(self) -> Taps:
        """A transposed convolution of one tap as a plain one, before its voxels are spread out."""
        kernel = np.ascontiguousarray(self.kernel.swapaxes(0, 1))
        return replace(self, kernel=kernel, stride=(1,) * len(self.stride))


@dataclass(frozen=True)
class Affine:
    """What an instance norm does to a normalised image: scale and shift (C), and the slope below zero."""

    scale: np.ndarray
    shift: np.ndarray
    epsilon: float
    slope: float
    """1 for no rectifier."""

    def readings(self, moments: np.ndarray) -> np.ndarray:
        """Mean, factor, shift and slope of each channel (C, 4), float32, from means and variances (C, 2)."""
        mean, variance = moments[:, 0], moments[:, 1].astype(np.float64)
        factor = self.scale / np.sqrt(variance + self.epsilon)
        slope = np.full(mean.shape, self.slope)
        return np.stack([mean, factor, self.shift, slope], axis=1).astype(np.float32)


class Part(NamedTuple):
    """Channels of an image, and what a kernel does to each as it reads it."""

    image: np.ndarray
    """(C, X, Y, Z)."""
    readings: np.ndarray | None = None
    """`Affine.readings`; None to take them as they are."""


class Summands(NamedTuple):
    """What `lift` adds."""

    skip: np.ndarray | None
    """(K, X, Y, Z); None for zeros."""
    image: np.ndarray
    sparse: np.ndarray | None
    bias: np.ndarray | None
    """(K), added where the image is."""


@dataclass(frozen=True)
class NativeKernels:
    """Layers of one window on all cores; arrays are float32, in C order."""

    library: ctypes.CDLL
    vectors: str
    """Of the processor's, which it was built for."""

    def convolve(
        self,
        parts: Sequence[Part],
        taps: Taps,
        out: np.ndarray | AccumulatorView,
        moments: np.ndarray | None = None,
    ) -> None:
        """Convolve an image whose channels may come in several parts.

        parts: together all channels of the kernel; out: (K, X, Y, Z), written, and as many zeros as it needs
        stand behind the image; or a part of a sum that fits. moments: (K, 2), written: mean and variance of
        each output, if they are written too. Raises MemoryError.
        """
        outputs, inputs = taps.kernel.shape[:2]
        call(self.library.segcube_convolve, _told(parts, taps, (inputs, outputs), out, moments))

    def convolve_transposed(self, part: Part, taps: Taps, out: np.ndarray) -> None:
        """Make a block of outputs from each voxel: the stride is as large as the kernel, (C, K, x, y, z)."""
        inputs, outputs = taps.kernel.shape[:2]
        call(self.library.segcube_convolve_transposed, _told([part], taps, (inputs, outputs), out, None))

    def depthwise(self, part: Part, taps: Taps, out: np.ndarray, moments: np.ndarray) -> None:
        """Convolve each channel by a kernel of its own, (C, 1, x, y, z); moments: as of `convolve`."""
        channels = len(part.image), len(part.image)
        call(self.library.segcube_depthwise, _told([part], taps, channels, out, moments))

    def depthwise_transposed(self, part: Part, taps: Taps, out: np.ndarray, moments: np.ndarray) -> None:
        """The same, transposed: taps.before are what the output lacks of its first voxels."""
        channels = len(part.image), len(part.image)
        call(self.library.segcube_depthwise_transposed, _told([part], taps, channels, out, moments))

    def widen(
        self, part: Part, taps: tuple[Taps, Taps], residual: np.ndarray | None, out: np.ndarray
    ) -> None:
        """Write residual + narrow(gelu(widen(image))); taps: of the two, (E, C, 1, 1, 1), (K, E, 1, 1, 1)."""
        wide, narrow = taps
        weights = (
            address(array) for array in (wide.kernel, wide.bias, narrow.kernel, narrow.bias, residual, out)
        )
        sizes = part.image[0].size, len(part.image), len(wide.kernel), len(narrow.kernel)
        told = WideningTold(*map(address, part), *weights, *sizes, cores())
        call(self.library.segcube_widen, told)

    def lift(
        self, summands: Summands, before: tuple[int, ...], stride: tuple[int, ...], out: np.ndarray
    ) -> None:
        """Write skip + image + bias + sparse, (K, X, Y, Z).

        before: voxels of the output before the image, on each axis; beyond it nothing but the skip is added.
        stride: of the sparse one's voxels in the image.
        """
        arrays = (address(array) for array in (*summands, out))
        sizes = (Three(*size) for size in (out.shape[1:], summands.image.shape[1:], before, stride))
        call(self.library.segcube_lift, LiftTold(*arrays, *sizes, len(out), cores()))

    def norm(self, part: Part, residual: Part | None, slope: float, out: np.ndarray) -> None:
        """Write leaky(part as it is read + residual as it is read), of that slope below zero.

        part: with readings; out: like its image.
        """
        arrays = (address(array) for array in (*part, *(residual or (None, None)), out))
        about = part.image[0].size, slope, len(part.image), cores()
        call(self.library.segcube_norm, NormTold(*arrays, *about))

    def pool(self, part: Part, block: tuple[int, ...], out: np.ndarray) -> None:
        """Write the mean of each block of voxels (x, y, z); out: (C, X // x, Y // y, Z // z)."""
        arrays = (address(array) for array in (*part, out))
        sizes = Three(*part.image.shape[1:]), Three(*block)
        call(self.library.segcube_pool, PoolTold(*arrays, *sizes, len(part.image), cores()))


@cache
def find_kernels() -> NativeKernels | str:
    """The build for this processor, or why this process has none."""
    try:
        return NativeKernels(*load_library())
    except NoLibrary as reason:
        return str(reason)


def native_kernels() -> NativeKernels | None:
    """The build for this processor; None where this process has none."""
    found = find_kernels()
    return None if isinstance(found, str) else found


def _told(
    parts: Sequence[Part],
    taps: Taps,
    channels: tuple[int, int],
    out: np.ndarray | AccumulatorView,
    moments: np.ndarray | None,
) -> ConvolutionTold:
    inputs, outputs = channels
    written, onto = (None, out) if isinstance(out, AccumulatorView) else (out, None)
    size = out.sum_kxyz.shape if isinstance(out, AccumulatorView) else out.shape
    begins = [
        address(part.image) + at * part.image[0].nbytes for part in parts for at in range(len(part.image))
    ]
    assert len(begins) == inputs, "the parts have the kernel's channels"
    return ConvolutionTold(
        (ctypes.c_void_p * inputs)(*begins),
        _readings(parts, inputs),
        address(taps.kernel),
        address(taps.bias),
        address(written),
        None if onto is None else ctypes.pointer(onto_struct(onto)),
        address(moments),
        inputs,
        outputs,
        Three(*parts[0].image.shape[1:]),
        Three(*size[1:]),
        Three(*taps.kernel.shape[2:]),
        Three(*taps.stride),
        Three(*taps.before),
        cores(),
    )


def _readings(parts: Sequence[Part], inputs: int) -> ctypes.Array[ctypes.c_float] | None:
    """Of all channels, for the structure to hold."""
    if all(part.readings is None for part in parts):
        return None
    each = [np.tile(AS_IT_IS, (len(image), 1)) if own is None else own for image, own in parts]
    return (ctypes.c_float * (4 * inputs))(*np.concatenate(each).ravel().tolist())
