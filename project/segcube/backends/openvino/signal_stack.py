"""The alternate signal stack of a thread, which OpenVINO's CPU plugin replaces by one of its own."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager


class _Stack(ctypes.Structure):
    """stack_t of Linux."""

    _fields_ = (("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("bytes", ctypes.c_size_t))


@contextmanager
def kept_signal_stack() -> Generator[None, None, None]:
    """Restore the calling thread's alternate signal stack at the end of the block.

    The plugin sets its own when it is loaded, and frees it when it is unloaded. Where another thread unloads
    it, the first one would keep a freed stack: the next signal with a handler in Python, such as SIGTERM,
    would end the process with a segmentation fault.
    """
    if sys.platform != "linux":
        yield
        return
    set_stack = ctypes.CDLL(None).sigaltstack
    before = _Stack()
    known = set_stack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            set_stack(ctypes.byref(before), None)
