"""numpy's arrays, scalars and types as pickles hold them, made by our own hands."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from segcube.importers.checkpoint.inert import Named, RefusedPickle, short_repr

CODE = re.compile(r"[<>|=]?([?bBhHiIlLqQefdFDgGO]|[biufcSUVO?]\d{0,3})")
"""Types without fields: structured ones, dates and anything with metadata stay outside."""


MOST_AXES = 32
LARGEST_AXIS = 1 << 48


def make_dtype(code: object, align: object = False, copy: object = True) -> np.dtype[Any]:
    """A type of its own that `set_byte_order` may change; `align` and `copy` do not matter."""
    del align, copy
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise RefusedPickle(f"the numpy type {short_repr(code)}")
    return np.dtype(code, align=False, copy=True)  # pyright: ignore[reportCallIssue, reportArgumentType]


def set_byte_order(dtype: np.dtype[Any], state: Any) -> None:
    """Keep no more of a type's state than its byte order."""
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if order not in ("<", ">", "=", "|") or any(state[2:5]):
        raise RefusedPickle("a numpy type with fields")
    own = dtype.__reduce__()[2]
    dtype.__setstate__((own[0], order, *own[2:]))  # pyright: ignore[reportAttributeAccessIssue]


def make_scalar(dtype: object, data: object = b"") -> Any:
    """A scalar of its bytes."""
    known = _known(dtype)
    if known.hasobject or not isinstance(data, bytes) or len(data) != known.itemsize:
        raise RefusedPickle(f"a damaged numpy scalar of {known}")
    return np.frombuffer(data, dtype=known)[0]


def reconstruct(kind: object, shape: object, code: object) -> np.ndarray:
    """The empty array that `set_state` fills."""
    del shape, code
    if not isinstance(kind, Named) or kind.name != "numpy.ndarray":
        raise RefusedPickle(f"a numpy array of the class {short_repr(kind)}")
    return np.empty(0, dtype=np.uint8)


def set_state(array: np.ndarray, state: Any) -> None:
    """Give an array its shape, type, order and values; objects come as a list."""
    _, shape, dtype, fortran, values = state
    known, count = _known(dtype), math.prod(_shape(shape))
    held = len(values) if isinstance(values, list) else len(values) / max(known.itemsize, 1)
    if isinstance(values, list) != known.hasobject or held != count:
        raise RefusedPickle(f"a damaged numpy array of shape {short_repr(shape)}")
    array.__setstate__((1, shape, known, bool(fortran), values))  # pyright: ignore[reportArgumentType]


def from_buffer(data: object, dtype: object, shape: object, order: object) -> np.ndarray:
    """An array of protocol 5, its bytes within the pickle."""
    known = _known(dtype)
    if known.hasobject or not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise RefusedPickle(f"a damaged numpy array of {known}")
    flat = np.frombuffer(bytearray(data), dtype=known)
    return flat.reshape(_shape(shape), order=order)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _known(dtype: object) -> np.dtype[Any]:
    if not isinstance(dtype, np.dtype) or dtype.fields is not None:
        raise RefusedPickle(f"a numpy array of the type {short_repr(dtype)}")
    return dtype


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > MOST_AXES:
        raise RefusedPickle(f"a numpy array of the shape {short_repr(shape)}")
    if not all(type(length) is int and 0 <= length < LARGEST_AXIS for length in shape):
        raise RefusedPickle(f"a numpy array of the shape {short_repr(shape)}")
    return shape
