"""Windows added to sums on all cores, by our own kernel."""

from __future__ import annotations

import numpy as np

from segcube.backends.native.kernels import NativeKernels
from segcube.backends.native.structs import (
    AddingTold,
    Three,
    address,
    call,
    lies_in_rows,
    onto_struct,
    strides_of,
    takes_onto,
)
from segcube.backends.protocol import AccumulatorView
from segcube.core import cores

ROWS = 2
"""The axis of x, y and z along which they run."""


def add_window(kernels: NativeKernels, window_kxyz: np.ndarray, onto: AccumulatorView) -> None:
    """Add a window to a part of a sum, which is as large; both as `takes` says. Raises MemoryError."""
    assert onto.sum_kxyz.shape == window_kxyz.shape, "the kernel takes both to be as large"
    if window_kxyz.strides[-1] < 0:
        window_kxyz, onto = np.flip(window_kxyz, ROWS + 1), onto.turned([ROWS])
    about = Three(*window_kxyz.shape[1:]), len(window_kxyz), cores()
    window = address(window_kxyz), strides_of(window_kxyz)
    call(kernels.library.segcube_add, AddingTold(onto_struct(onto), *window, *about))


def takes(window_kxyz: np.ndarray, onto: AccumulatorView) -> bool:
    """Whether `add_window` does."""
    return takes_onto(onto) and lies_in_rows(window_kxyz)
