"""Between numpy and torch arrays, without importing torch."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

from segcube.types import Array


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
