"""The C structs that the kernels take: the same fields in the same order as in the C++ headers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from segcube.backends.protocol import AccumulatorView

NO_MEMORY = "bad_alloc"
"""The text of C++ and of OpenVINO for exhausted memory."""

Int3 = ctypes.c_int32 * 3
Int64x3 = ctypes.c_int64 * 3


def _fields(names: str, kind: type) -> tuple[tuple[str, type], ...]:
    return tuple((name, kind) for name in names.split())


class AccumulatorArgs(ctypes.Structure):
    """`Accumulator` in src/cpu/accumulator.h."""

    _fields_ = (
        *_fields("sum weight", ctypes.c_void_p),
        ("channel_weights", ctypes.POINTER(ctypes.c_float)),
        *_fields("sum_strides weight_strides", Int64x3),
        ("step", ctypes.c_int32),
    )


class AccumulateArgs(ctypes.Structure):
    """`AccumulateArgs` in src/cpu/accumulator.h."""

    _fields_ = (
        ("accumulator", AccumulatorArgs),
        ("window", ctypes.c_void_p),
        ("window_strides", Int64x3),
        ("size", Int3),
        *_fields("channels threads", ctypes.c_int32),
    )


class ConvolutionArgs(ctypes.Structure):
    """`ConvolutionArgs` in src/cpu/convolution.h."""

    _fields_ = (
        ("channels", ctypes.POINTER(ctypes.c_void_p)),
        ("input_norms", ctypes.POINTER(ctypes.c_float)),
        *_fields("kernel bias out", ctypes.c_void_p),
        ("accumulator", ctypes.POINTER(AccumulatorArgs)),
        ("moments", ctypes.c_void_p),
        *_fields("inputs outputs", ctypes.c_int32),
        *_fields("size out_size kernel_size stride padding", Int3),
        ("threads", ctypes.c_int32),
    )


class NormArgs(ctypes.Structure):
    """`NormArgs` in src/cpu/norm.h."""

    _fields_ = (
        *_fields("image input_norms residual residual_norms out", ctypes.c_void_p),
        ("voxels", ctypes.c_int64),
        ("slope", ctypes.c_float),
        *_fields("channels threads", ctypes.c_int32),
    )


class PoolArgs(ctypes.Structure):
    """`PoolArgs` in src/cpu/pool.h."""

    _fields_ = (
        *_fields("image input_norms out", ctypes.c_void_p),
        *_fields("size block", Int3),
        *_fields("channels threads", ctypes.c_int32),
    )


class PointwiseMlpArgs(ctypes.Structure):
    """`PointwiseMlpArgs` in src/cpu/pointwise_mlp.h."""

    _fields_ = (
        *_fields("image input_norms expand expand_bias compress compress_bias residual out", ctypes.c_void_p),
        ("voxels", ctypes.c_int64),
        *_fields("inputs hidden outputs threads", ctypes.c_int32),
    )


class UpsampleAddArgs(ctypes.Structure):
    """`UpsampleAddArgs` in src/cpu/upsample_add.h."""

    _fields_ = (
        *_fields("skip image sparse bias out", ctypes.c_void_p),
        *_fields("size inner padding stride", Int3),
        *_fields("channels threads", ctypes.c_int32),
    )


def call(function: Callable[[object], int], args: ctypes.Structure) -> None:
    """Call one of the library's functions. Raises MemoryError."""
    if function(ctypes.byref(args)) != 0:
        raise MemoryError(NO_MEMORY)


def address(array: np.ndarray | None) -> int:
    """The address of an array's first element; 0 for None."""
    return 0 if array is None else array.ctypes.data


def accumulator_args(view: AccumulatorView) -> AccumulatorArgs:
    """The struct of an accumulator that `supports_accumulator` accepts."""
    channel_weights = (ctypes.c_float * len(view.channel_weights))(*view.channel_weights.tolist())
    strides = float_strides(view.sum_kxyz), float_strides(view.weight_xyz)
    step = 1 if view.sum_kxyz.strides[-1] > 0 else -1
    return AccumulatorArgs(address(view.sum_kxyz), address(view.weight_xyz), channel_weights, *strides, step)


def float_strides(array: np.ndarray | None) -> ctypes.Array[ctypes.c_int64]:
    """Floats from one channel, plane and row to the next; 0 for axes that the array lacks."""
    strides = () if array is None else tuple(stride // array.itemsize for stride in array.strides[:-1])
    return Int64x3(*(0,) * (3 - len(strides)), *strides)


def supports_accumulator(view: AccumulatorView) -> bool:
    """Whether the kernels can add to it: its rows are contiguous floats, those of the weights likewise."""
    weights = [] if view.weight_xyz is None else [view.weight_xyz]
    return has_contiguous_rows(view.sum_kxyz) and all(
        has_contiguous_rows(array) and array.strides[-1] == view.sum_kxyz.strides[-1] for array in weights
    )


def has_contiguous_rows(array: np.ndarray) -> bool:
    """Whether rows are contiguous float32, forwards or backwards."""
    return array.dtype == np.float32 and abs(array.strides[-1]) == array.itemsize
