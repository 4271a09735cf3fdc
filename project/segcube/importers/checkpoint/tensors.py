"""torch's tensors and storages as pickles hold them, over memory that nobody has copied yet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from segcube.importers.checkpoint.bounds import LARGEST
from segcube.importers.checkpoint.inert import RefusedPickle, short_repr

DTYPES: dict[str, torch.dtype] = {
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


MOST_AXES = 32


@dataclass(frozen=True, eq=False)
class Storage:
    """A flat block of numbers; tensors are views of it."""

    values: torch.Tensor
    """One axis."""


def view_bytes(data: memoryview, dtype: torch.dtype, count: int, swap: bool = False) -> Storage:
    """The numbers that a block of memory holds, as a view of it; swapped bytes are a copy.

    data: `count` numbers, writable. Raises RefusedPickle when it is longer or shorter.
    """
    if len(data) != count * dtype.itemsize:
        raise RefusedPickle(f"a damaged storage of {len(data)} bytes, not {count} numbers of {dtype}")
    if count == 0:
        return Storage(torch.empty(0, dtype=dtype))
    if swap:
        width = dtype.itemsize // 2 if dtype.is_complex else dtype.itemsize
        swapped = np.frombuffer(data, dtype=f"u{width}").byteswap()
        return Storage(torch.frombuffer(bytearray(swapped.tobytes()), dtype=dtype))
    # Storages of the legacy layout lie wherever the pickle before them ended
    aligned = np.frombuffer(data, dtype=np.uint8).ctypes.data % dtype.itemsize == 0
    return Storage(torch.frombuffer(data if aligned else bytearray(data), dtype=dtype))


def rebuild(storage: object, offset: Any, size: Any, stride: Any, *unused: object) -> torch.Tensor:
    """A tensor of a storage, bounds checked; what it needed for training is left out."""
    del unused
    if not isinstance(storage, Storage):
        raise RefusedPickle("a tensor without a storage")
    sound = all(isinstance(axes, list | tuple) and len(axes) <= MOST_AXES for axes in (size, stride))
    numbers = (offset, *size, *stride) if sound else (None,)
    if not all(type(n) is int and 0 <= n < LARGEST for n in numbers) or len(size) != len(stride):
        raise RefusedPickle(f"a tensor of size {short_repr(size)} with strides {short_repr(stride)}")
    values, size = storage.values, tuple(size)
    if 0 in size:
        return torch.empty(size, dtype=values.dtype)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    # A view that repeats its numbers could ask for more memory than any machine has once it is copied
    if last >= len(values) or math.prod(size) > len(values):
        raise RefusedPickle(f"a tensor of size {size} that reaches beyond its storage of {len(values)}")
    return torch.as_strided(values, size, tuple(stride), offset)


def rebuild_of_type(
    storage: object,
    offset: Any,
    size: Any,
    stride: Any,
    grad: object,
    hooks: object,
    dtype: Any,
    *unused: object,
) -> torch.Tensor:
    """A tensor of an untyped storage, with the type beside it."""
    del grad, hooks, unused
    if not isinstance(storage, Storage) or not isinstance(dtype, torch.dtype):
        raise RefusedPickle("a tensor without a storage or a type")
    return rebuild(Storage(storage.values.view(dtype)), offset, size, stride)


def as_is(tensor: object, *unused: object) -> torch.Tensor:
    """The tensor of a parameter."""
    del unused
    if not isinstance(tensor, torch.Tensor):
        raise RefusedPickle("a parameter without a tensor")
    return tensor
