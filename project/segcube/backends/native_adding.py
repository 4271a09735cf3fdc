"""Windows added to sums on all cores, by our own kernel."""

from __future__ import annotations

import ctypes

import numpy as np

from segcube.backends.native import NativeKernels
from segcube.backends.native_told import AddingTold, Strides, Three, address, call
from segcube.threads import cores


def add_window(
    kernels: NativeKernels,
    sum_kxyz: np.ndarray,
    window_kxyz: np.ndarray,
    say_k: np.ndarray,
    weight_xyz: np.ndarray | None = None,
) -> None:
    """Add a window times its channels' say, and the weight of its voxels, to a part of a sum, in place.

    All float32; rows lie in one piece, the window's may be turned round (`takes`). Raises MemoryError.
    """
    assert sum_kxyz.shape == window_kxyz.shape, "the kernel takes both to be as large"
    say_k = np.ascontiguousarray(say_k, np.float32)
    places = (_place(array) for array in (sum_kxyz, window_kxyz, weight_xyz))
    arrays = (address(array) for array in (sum_kxyz, window_kxyz, say_k, weight_xyz))
    step = -1 if window_kxyz.strides[-1] < 0 else 1
    about = Three(*sum_kxyz.shape[1:]), step, len(sum_kxyz), cores()
    call(kernels.library.segcube_add, AddingTold(*arrays, *places, *about))


def takes(sums: np.ndarray, *others: np.ndarray) -> bool:
    """Whether `add_window` takes arrays."""
    whole = sums.strides[-1] == sums.itemsize
    return whole and all(
        array.dtype == np.float32 and abs(array.strides[-1]) == array.itemsize for array in (sums, *others)
    )


def _place(array: np.ndarray | None) -> ctypes.Array[ctypes.c_int64]:
    """From one channel, plane and row to the next, in floats; of none there is no channel."""
    strides = () if array is None else tuple(stride // array.itemsize for stride in array.strides[:-1])
    return Strides(*(0,) * (3 - len(strides)), *strides)
