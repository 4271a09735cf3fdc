"""Arrays of numpy and torch alike, and work on them slab by slab in a few threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import array_api_compat
import numpy as np

from segcube.core.threads import in_threads
from segcube.core.types import Array


def array_namespace(*arrays: Array) -> Any:
    """The library of these arrays, which speaks the array API.

    For numpy its own: array_api_compat's brings in every part of numpy, which takes a tenth of a second.
    """
    if all(isinstance(array, np.ndarray) for array in arrays):
        return np
    return array_api_compat.array_namespace(*arrays)


def to_host(array: Array) -> np.ndarray:
    """The array as numpy; a tensor on a device is copied to the host."""
    return np.asarray(array_api_compat.to_device(array, "cpu"))


def beside(host: np.ndarray, array: Array) -> Array:
    """A numpy array in the namespace and on the device of `array`."""
    xp = array_namespace(array)
    return xp.asarray(host, device=array_api_compat.device(array))


def as_float(array: Array) -> Array:
    """float32, or float64 as it is: half precision is too coarse for sums, integers have no fractions."""
    xp = array_namespace(array)
    return array if array.dtype in (xp.float32, xp.float64) else xp.astype(array, xp.float32)


SLAB_BYTES = 2**20
"""What a core keeps close; Python hands its lock from thread to thread at every step of a smaller one."""


def in_slabs(task: Callable[[slice], None], channel_xyz: Array) -> None:
    """Do a task once for each slab of a volume; on another device than the host for all of it at once.

    The slabs must not touch the same voxels.
    """
    in_threads(task, _slabs(channel_xyz))


def sum_of_slabs(function: Callable[[slice], float], channel_xyz: Array) -> float:
    """The sum of what a function says of each slab, put together in one order."""
    slabs = _slabs(channel_xyz)
    found = [0.0] * len(slabs)

    def look(index: int) -> None:
        found[index] = function(slabs[index])

    in_threads(look, range(len(slabs)))
    return sum(found)


def _slabs(channel_xyz: Array) -> list[slice]:
    length, y, z = channel_xyz.shape
    if not isinstance(channel_xyz, np.ndarray):
        return [slice(0, length)]
    thickness = max(1, SLAB_BYTES // (channel_xyz.itemsize * max(1, y * z)))
    return [slice(first, first + thickness) for first in range(0, length, thickness)]
