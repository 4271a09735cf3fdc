"""The C structs that the kernels take, and what fills them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from segcube.backends.protocol import AccumulatorView

NO_MEMORY = "bad_alloc"
"""In the words of C++, as OpenVINO has them."""

Three = ctypes.c_int32 * 3
Strides = ctypes.c_int64 * 3


def _fields(names: str, kind: type) -> tuple[tuple[str, type], ...]:
    return tuple((name, kind) for name in names.split())


class OntoTold(ctypes.Structure):
    """src/cpu/onto.h has the same."""

    _fields_ = (
        *_fields("sum weight", ctypes.c_void_p),
        ("say", ctypes.POINTER(ctypes.c_float)),
        *_fields("sum_at weight_at", Strides),
        ("step", ctypes.c_int32),
    )


class ConvolutionTold(ctypes.Structure):
    """src/cpu/convolution.h has the same."""

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
    """src/cpu/norm.h has the same."""

    _fields_ = (
        *_fields("image readings residual residual_readings out", ctypes.c_void_p),
        ("voxels", ctypes.c_int64),
        ("slope", ctypes.c_float),
        *_fields("channels threads", ctypes.c_int32),
    )


class PoolTold(ctypes.Structure):
    """src/cpu/pool.h has the same."""

    _fields_ = (
        *_fields("image readings out", ctypes.c_void_p),
        *_fields("size block", Three),
        *_fields("channels threads", ctypes.c_int32),
    )


class WideningTold(ctypes.Structure):
    """src/cpu/widening.h has the same."""

    _fields_ = (
        *_fields("image readings widen widen_bias narrow narrow_bias residual out", ctypes.c_void_p),
        ("voxels", ctypes.c_int64),
        *_fields("inputs wide outputs threads", ctypes.c_int32),
    )


class LiftTold(ctypes.Structure):
    """src/cpu/lift.h has the same."""

    _fields_ = (
        *_fields("skip image sparse bias out", ctypes.c_void_p),
        *_fields("size inner before stride", Three),
        *_fields("channels threads", ctypes.c_int32),
    )


class AddingTold(ctypes.Structure):
    """src/cpu/adding.h has the same."""

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


def takes_onto(onto: AccumulatorView) -> bool:
    """Whether the kernels add to it: rows of floats in one piece, the weights' the same way round."""
    weights = [] if onto.weight_xyz is None else [onto.weight_xyz]
    return lies_in_rows(onto.sum_kxyz) and all(
        lies_in_rows(array) and array.strides[-1] == onto.sum_kxyz.strides[-1] for array in weights
    )


def onto_struct(onto: AccumulatorView) -> OntoTold:
    """The struct of a part of a sum that the kernels take."""
    say = (ctypes.c_float * len(onto.channel_weights))(*onto.channel_weights.tolist())
    places = strides_of(onto.sum_kxyz), strides_of(onto.weight_xyz)
    step = 1 if onto.sum_kxyz.strides[-1] > 0 else -1
    return OntoTold(address(onto.sum_kxyz), address(onto.weight_xyz), say, *places, step)


def lies_in_rows(array: np.ndarray) -> bool:
    """Whether rows are floats in one piece, perhaps the last one first."""
    return array.dtype == np.float32 and abs(array.strides[-1]) == array.itemsize


def strides_of(array: np.ndarray | None) -> ctypes.Array[ctypes.c_int64]:
    """From one channel, plane and row to the next, in floats; of none there is no channel."""
    strides = () if array is None else tuple(stride // array.itemsize for stride in array.strides[:-1])
    return Strides(*(0,) * (3 - len(strides)), *strides)
