"""Add windows to accumulators on all cores with the native kernel."""

from __future__ import annotations

import numpy as np

from segcube.backends.native.kernels import NativeKernels, native_kernels
from segcube.backends.native.structs import (
    AccumulateArgs,
    Int3,
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


def add_to_accumulator(window_kxyz: np.ndarray, view: AccumulatorView) -> bool:
    """Add a window to an accumulator of its size; False, and nothing is added, without a kernel that can.

    Raises MemoryError.
    """
    kernels = native_kernels()
    if kernels is None or not takes(window_kxyz, view):
        return False
    add_window(kernels, window_kxyz, view)
    return True


def takes(window_kxyz: np.ndarray, view: AccumulatorView) -> bool:
    """Whether `add_window` supports both arrays: float32 with contiguous rows, flipped or not."""
    return supports_accumulator(view) and has_contiguous_rows(window_kxyz)


def add_window(kernels: NativeKernels, window_kxyz: np.ndarray, view: AccumulatorView) -> None:
    """Add a window to an accumulator of its size; both as `takes` requires. Raises MemoryError."""
    assert view.sum_kxyz.shape == window_kxyz.shape, "window and accumulator have the same shape"
    if window_kxyz.strides[-1] < 0:
        window_kxyz, view = np.flip(window_kxyz, ROWS + 1), view.flipped([ROWS])
    args = AccumulateArgs(
        accumulator_args(view),
        address(window_kxyz),
        float_strides(window_kxyz),
        Int3(*window_kxyz.shape[1:]),
        len(window_kxyz),
        cpu_count(),
    )
    call(kernels.library.segcube_accumulate, args)
