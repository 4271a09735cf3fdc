"""Functions for numpy and torch arrays alike, and work on a volume slab by slab in a few threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np

from segcube.core.threads import for_each_in_threads
from segcube.core.types import Array


def array_namespace(*arrays: Array) -> Any:
    """Return the array API namespace of these arrays; numpy itself where all of them are numpy's."""
    # array_api_compat.numpy imports all of numpy's submodules, which takes 0.1 s
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np
    return array_api_compat.array_namespace(*arrays)


def to_numpy(array: Array) -> np.ndarray:
    """Return the array as numpy; a tensor on a device is copied to the host."""
    return np.asarray(array_api_compat.to_device(array, "cpu"))


def as_array_like(host: np.ndarray, array: Array) -> Array:
    """Return a numpy array in the namespace and on the device of `array`."""
    xp = array_namespace(array)
    return xp.asarray(host, device=array_api_compat.device(array))


def as_float(array: Array) -> Array:
    """Return the array as float32; float64 stays as it is.

    Half precision is too coarse for sums, and integers have no fractions.
    """
    xp = array_namespace(array)
    return array if array.dtype in (xp.float32, xp.float64) else xp.astype(array, xp.float32)


SLAB_BYTES = 2**20
"""Fits a core's cache; with smaller slabs, threads spend their time passing Python's lock around."""


def for_each_slab(task: Callable[[slice], None], channel_xyz: Array) -> None:
    """Run a task once for each slab of a volume (X, Y, Z), slices of its first axis, in a few threads.

    An array on a device is one slab. Slabs run at the same time, so a task writes only to its own slab.
    """
    for_each_in_threads(task, _slabs(channel_xyz))


def sum_over_slabs(function: Callable[[slice], float], channel_xyz: Array) -> float:
    """Return the sum of a function over the slabs of a volume (X, Y, Z); 0 for a volume without voxels.

    Slabs are computed in threads and added in order, so that the sum is the same in every run.
    """
    slabs = _slabs(channel_xyz)
    sums = [0.0] * len(slabs)

    def compute(index: int) -> None:
        sums[index] = function(slabs[index])

    for_each_in_threads(compute, range(len(slabs)))
    return sum(sums)


def _slabs(channel_xyz: Array) -> list[slice]:
    length, y, z = channel_xyz.shape
    if not isinstance(channel_xyz, np.ndarray):
        return [slice(0, length)]
    thickness = max(1, SLAB_BYTES // (channel_xyz.itemsize * max(1, y * z)))
    return [slice(first, first + thickness) for first in range(0, length, thickness)]
