"""The native kernels of this process: the build that its processor supports, if it passes a self-test."""

from __future__ import annotations

import os
from functools import cache
from math import prod

import numpy as np

from segcube.backends.native.kernels import (
    Affine,
    ConvWeights,
    LayerInput,
    NativeKernels,
    UpsampleAddInputs,
)
from segcube.backends.native.library import VECTORS, NoLibrary, load_library
from segcube.backends.protocol import AccumulatorView
from segcube.core import EnvironmentFault, UsageError

VARIABLE = "SEGCUBE_KERNELS"
CHOICES = ("auto", "off", *VECTORS)
FAILED_SELFTEST = "their results are wrong on this processor"
# fmt: off
SELFTEST_MEANS = np.array([
    0.366781, 0.314323, -0.283499, -0.337484, -0.112221, 0.307639, 0.637726, 0.011027,
    -0.111919, -0.265301, 0.118146, 0.471907, -0.053648, -0.084533, -0.600366, 0.019938,
    0.120663, 0.074417, -0.063965, -0.063029, 0.003861, 0.105917, 0.121018, -0.013919,
    -0.070774, -0.031067, 0.070642, 0.128711, 0.013573, -0.071168, -0.053325, 0.036107,
]).reshape(2, 16)
"""Of `selftest_logits`, over x and y: computed by torch (tests/backends/native/test_installed.py)."""
# fmt: on
TOLERANCE = 1e-5


def find_kernels() -> NativeKernels | str:
    """The build for this processor, or the reason why this process uses none.

    SEGCUBE_KERNELS selects a build, or none. Raises UsageError for an unknown one, and EnvironmentFault for
    one that the processor or the installation lacks.
    """
    return _find_kernels(os.environ.get(VARIABLE) or "auto")


@cache
def _find_kernels(selected: str) -> NativeKernels | str:
    if selected not in CHOICES:
        raise UsageError(f"{VARIABLE}={selected}", expected=", ".join(CHOICES))
    if selected == "off":
        return f"{VARIABLE}=off"
    try:
        kernels = NativeKernels(*load_library(vectors=None if selected == "auto" else selected))
    except NoLibrary as reason:
        if selected == "auto":
            return str(reason)
        raise EnvironmentFault(f"{VARIABLE}={selected}: {reason}", hint=f"unset {VARIABLE}") from reason
    return kernels if passes_selftest(kernels) else FAILED_SELFTEST


def kernels_summary() -> str:
    """The vectors of the kernels that this process uses, or why it uses none. Raises as `find_kernels`."""
    found = find_kernels()
    return f"none ({found})" if isinstance(found, str) else found.vectors


def add_to_accumulator(window_kxyz: np.ndarray, view: AccumulatorView) -> bool:
    """Add a window to an accumulator of its shape; False, and nothing is added, without a kernel that can.

    Raises MemoryError.
    """
    kernels = find_kernels()
    return not isinstance(kernels, str) and kernels.accumulate(window_kxyz, view)


def passes_selftest(kernels: NativeKernels, expected: np.ndarray = SELFTEST_MEANS) -> bool:
    """Whether all kernels together compute the stored means of a window."""
    return bool(np.abs(selftest_logits(kernels).mean(axis=(1, 2)) - expected).max() <= TOLERANCE)


def selftest_logits(kernels: NativeKernels) -> np.ndarray:
    """Logits (2, 4, 14, 16) of a small network of every kernel, with constant weights."""
    size, half = (4, 14, 16), (2, 7, 8)
    image, moments = np.empty((8, *size), np.float32), np.empty((8, 2), np.float32)
    kernels.convolve([LayerInput(constants(4, *size))], _weights(8, 4, 3), image, moments)
    affine = Affine(constants(8), constants(8), 1e-5, 0.1)
    normed = LayerInput(image, affine.input_norm(moments))
    mixed, pooled = np.empty_like(image), np.empty((8, *half), np.float32)
    kernels.depthwise(normed, _weights(8, 1, 3), mixed, moments)
    kernels.pool(LayerInput(mixed, affine.input_norm(moments)), (2, 2, 2), pooled)
    hidden = np.empty_like(pooled)
    mlp = _weights(16, 8, 1), _weights(8, 16, 1)
    kernels.pointwise_mlp(LayerInput(pooled), mlp, pooled, hidden)
    upsampled, total = np.empty_like(image), np.empty_like(image)
    kernels.convolve_transposed(LayerInput(hidden), _weights(8, 8, 2, stride=2, padding=0), upsampled)
    kernels.norm(normed, LayerInput(upsampled), 0.1, total)
    spread = np.empty((8, 3, 13, 15), np.float32)
    kernels.depthwise(LayerInput(hidden), _weights(8, 1, 3, stride=2), spread, moments, transposed=True)
    added = UpsampleAddInputs(total, spread, hidden, constants(8))
    kernels.upsample_add(added, (1, 1, 1), (2, 2, 2), upsampled)
    logits = np.zeros((2, *size), np.float32)
    view = AccumulatorView(logits, np.array([1, -0.5]), constants(*size))
    kernels.convolve([LayerInput(upsampled)], _weights(2, 8, 1), view.mirrored([0, 2]))
    kernels.accumulate(total[:2], view)
    return logits


def constants(*shape: int) -> np.ndarray:
    """Numbers between -1 and 1, the same in every version of numpy."""
    return ((np.arange(prod(shape)) * 7919 % 101 - 50) / 50).reshape(shape).astype(np.float32)


def _weights(
    first: int, second: int, edge: int, *, stride: int = 1, padding: int | None = None
) -> ConvWeights:
    kernel = constants(first, second, edge, edge, edge) / np.float32(np.sqrt(second * edge**3))
    before = edge // 2 if padding is None else padding
    return ConvWeights(kernel, constants(first), (stride,) * 3, (before,) * 3)
