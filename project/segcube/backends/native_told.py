"""What our own kernels for a CPU are told: the structures that their headers have too."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

NO_MEMORY = "bad_alloc"
"""In the words of C++, as OpenVINO has them."""

Three = ctypes.c_int32 * 3
Strides = ctypes.c_int64 * 3


def _fields(names: str, kind: type) -> tuple[tuple[str, type], ...]:
    return tuple((name, kind) for name in names.split())


class OntoTold(ctypes.Structure):
    """kernels/cpu/onto.h has the same."""

    _fields_ = (
        *_fields("sum weight", ctypes.c_void_p),
        ("say", ctypes.POINTER(ctypes.c_float)),
        *_fields("sum_at weight_at", Strides),
        ("step", ctypes.c_int32),
    )


class ConvolutionTold(ctypes.Structure):
    """kernels/cpu/convolution.h has the same."""

    _fields_ = (
        ("channels", ctypes.POINTER(ctypes.c_void_p)),
        ("readings", ctypes.POINTER(ctypes.c_float)),
        *_fields("kernel bias out", ctypes.c_void_p),
        ("onto", ctypes.POINTER(OntoTold)),
        ("moments", ctypes.c_void_p),
        *_fields("inputs outputs", ctypes.c_int32),
        *_fields("size out_size kernel_size stride before", Three),
        ("threads", ctypes.c_int32),
    )


class NormTold(ctypes.Structure):
    """kernels/cpu/norm.h has the same."""

    _fields_ = (
        *_fields("image readings residual residual_readings out", ctypes.c_void_p),
        ("voxels", ctypes.c_int64),
        ("slope", ctypes.c_float),
        *_fields("channels threads", ctypes.c_int32),
    )


class PoolTold(ctypes.Structure):
    """kernels/cpu/pool.h has the same."""

    _fields_ = (
        *_fields("image readings out", ctypes.c_void_p),
        *_fields("size block", Three),
        *_fields("channels threads", ctypes.c_int32),
    )


class WideningTold(ctypes.Structure):
    """kernels/cpu/widening.h has the same."""

    _fields_ = (
        *_fields("image readings widen widen_bias narrow narrow_bias residual out", ctypes.c_void_p),
        ("voxels", ctypes.c_int64),
        *_fields("inputs wide outputs threads", ctypes.c_int32),
    )


class LiftTold(ctypes.Structure):
    """kernels/cpu/lift.h has the same."""

    _fields_ = (
        *_fields("skip image sparse bias out", ctypes.c_void_p),
        *_fields("size inner before stride", Three),
        *_fields("channels threads", ctypes.c_int32),
    )


class AddingTold(ctypes.Structure):
    """kernels/cpu/adding.h has the same."""

    _fields_ = (
        ("onto", OntoTold),
        ("window", ctypes.c_void_p),
        ("window_at", Strides),
        ("size", Three),
        *_fields("channels threads", ctypes.c_int32),
    )


def call(function: Callable[[object], int], told: ctypes.Structure) -> None:
    """Call one of the library's functions. Raises MemoryError."""
    if function(ctypes.byref(told)) != 0:
        raise MemoryError(NO_MEMORY)


def address(array: np.ndarray | None) -> int:
    """Where an array begins; 0 for none."""
    return 0 if array is None else array.ctypes.data
