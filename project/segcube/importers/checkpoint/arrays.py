"""numpy arrays and torch tensors from the parts that pickles hold; tensors are views of the file's memory."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from segcube.importers.checkpoint.limits import MAX_INT
from segcube.importers.checkpoint.objects import Global, RefusedPickle, short_repr

DTYPE_CODE = re.compile(r"[<>|=]?([?bBhHiIlLqQefdFDgGO]|[biufcSUVO?]\d{0,3})")
"""numpy types without fields, dates and metadata."""
STORAGE_DTYPES: dict[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "UntypedStorage": torch.uint8,
}
MAX_AXES = 32
MAX_AXIS = 1 << 48


def make_dtype(code: object, *_unused: object) -> np.dtype[Any]:
    """Make a numpy type, not a shared one, since `set_byte_order` changes it."""
    if not isinstance(code, str) or not DTYPE_CODE.fullmatch(code):
        raise RefusedPickle(f"the numpy type {short_repr(code)}")
    return np.dtype(code, align=False, copy=True)  # pyright: ignore[reportCallIssue, reportArgumentType]


def set_byte_order(dtype: np.dtype[Any], state: Any) -> None:
    """Set the byte order from a type's state; the rest of the state is ignored."""
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if order not in ("<", ">", "=", "|") or any(state[2:5]):
        raise RefusedPickle("a numpy type with fields")
    own = dtype.__reduce__()[2]
    dtype.__setstate__((own[0], order, *own[2:]))  # pyright: ignore[reportAttributeAccessIssue]


def make_scalar(dtype: object, data: object = b"") -> Any:
    """Make a numpy scalar from its bytes."""
    known = _dtype(dtype)
    if known.hasobject or not isinstance(data, bytes) or len(data) != known.itemsize:
        raise RefusedPickle(f"a damaged numpy scalar of {known}")
    return np.frombuffer(data, dtype=known)[0]


def make_empty(kind: object, _shape: object, _code: object) -> np.ndarray:
    """Make the empty array that `set_state` fills."""
    if not isinstance(kind, Global) or kind.name != "numpy.ndarray":
        raise RefusedPickle(f"a numpy array of the class {short_repr(kind)}")
    return np.empty(0, dtype=np.uint8)


def set_state(array: np.ndarray, state: Any) -> None:
    """Set shape, type, order and values of an array; objects are a list."""
    _, shape, dtype, fortran, values = state
    known, count = _dtype(dtype), math.prod(_shape(shape))
    held = len(values) if isinstance(values, list) else len(values) / max(known.itemsize, 1)
    if isinstance(values, list) != known.hasobject or held != count:
        raise RefusedPickle(f"a damaged numpy array of shape {short_repr(shape)}")
    array.__setstate__((1, shape, known, bool(fortran), values))  # pyright: ignore[reportArgumentType]


def from_buffer(data: object, dtype: object, shape: object, order: object) -> np.ndarray:
    """Make an array of protocol 5, whose bytes are within the pickle."""
    known = _dtype(dtype)
    if known.hasobject or not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise RefusedPickle(f"a damaged numpy array of {known}")
    flat = np.frombuffer(bytearray(data), dtype=known)
    return flat.reshape(_shape(shape), order=order)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _dtype(dtype: object) -> np.dtype[Any]:
    if not isinstance(dtype, np.dtype) or dtype.fields is not None:
        raise RefusedPickle(f"a numpy array of the type {short_repr(dtype)}")
    return dtype


def _shape(shape: object) -> tuple[int, ...]:
    if (
        not isinstance(shape, tuple)
        or len(shape) > MAX_AXES
        or not all(type(length) is int and 0 <= length < MAX_AXIS for length in shape)
    ):
        raise RefusedPickle(f"a numpy array of the shape {short_repr(shape)}")
    return shape


@dataclass(frozen=True, eq=False)
class Storage:
    """A flat block of numbers; tensors are views of it."""

    values: torch.Tensor
    """One axis."""


def make_storage(data: memoryview, dtype: torch.dtype, count: int, swap: bool = False) -> Storage:
    """View a block of writable memory as numbers; copy it to swap bytes.

    Raises RefusedPickle unless the block holds `count` numbers.
    """
    if len(data) != count * dtype.itemsize:
        raise RefusedPickle(f"a damaged storage of {len(data)} bytes, not {count} numbers of {dtype}")
    if count == 0:
        return Storage(torch.empty(0, dtype=dtype))
    if swap:
        width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
        swapped = np.frombuffer(data, dtype=f"u{width}").byteswap()
        return Storage(torch.frombuffer(bytearray(swapped.tobytes()), dtype=dtype))
    # Storages of the legacy layout begin where the pickle before them ended
    is_aligned = np.frombuffer(data, dtype=np.uint8).ctypes.data % dtype.itemsize == 0
    return Storage(torch.frombuffer(data if is_aligned else bytearray(data), dtype=dtype))


def make_tensor(storage: object, offset: Any, size: Any, stride: Any, *_unused: object) -> torch.Tensor:
    """View a storage as a tensor within its bounds; gradients and hooks are ignored."""
    if not isinstance(storage, Storage):
        raise RefusedPickle("a tensor without a storage")
    is_shape = all(isinstance(axes, list | tuple) and len(axes) <= MAX_AXES for axes in (size, stride))
    numbers = (offset, *size, *stride) if is_shape else (None,)
    if not all(type(n) is int and 0 <= n < MAX_INT for n in numbers) or len(size) != len(stride):
        raise RefusedPickle(f"a tensor of size {short_repr(size)} with strides {short_repr(stride)}")
    values, size = storage.values, tuple(size)
    if 0 in size:
        return torch.empty(size, dtype=values.dtype)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    # A view that repeats numbers could need more memory than any machine has when it is copied
    if last >= len(values) or math.prod(size) > len(values):
        raise RefusedPickle(f"a tensor of size {size} that reaches beyond its storage of {len(values)}")
    return torch.as_strided(values, size, tuple(stride), offset)


def make_typed_tensor(storage: object, *parts: Any) -> torch.Tensor:
    """View an untyped storage as a tensor; parts: offset, size, stride, gradient, hooks, type."""
    offset, size, stride, _, _, dtype, *_ = parts
    if not isinstance(storage, Storage) or not isinstance(dtype, torch.dtype):
        raise RefusedPickle("a tensor without a storage or a type")
    return make_tensor(Storage(storage.values.view(dtype)), offset, size, stride)


def make_parameter(tensor: object, *_unused: object) -> torch.Tensor:
    """The tensor of a parameter."""
    if not isinstance(tensor, torch.Tensor):
        raise RefusedPickle("a parameter without a tensor")
    return tensor
