"""Memory of backends: errors that report its exhaustion, and what becomes of freed memory."""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from contextlib import contextmanager

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEEP_BYTES = 2**30
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "Cannot allocate memory",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "could not create a memory",
    "could not create a primitive",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""Texts of torch, OpenVINO, oneDNN and CUDA's libraries for exhausted memory, most without an error type."""


class DeviceMemoryError(Exception):
    """The device has too little memory; smaller batches or the CPU may do."""


@contextmanager
def out_of_memory_errors() -> Generator[None, None, None]:
    """Raise DeviceMemoryError for errors of these libraries that report exhausted memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
            raise DeviceMemoryError(str(error)) from error
        raise


def keep_freed_memory() -> bool:
    """Set glibc to keep large freed blocks; False without glibc.

    Without this every layer's output is mapped, zeroed by the kernel and unmapped again, which takes a third
    to two thirds of a network's time on a CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    kept = [mallopt(option, KEEP_BYTES) for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)]
    return all(kept)


def give_freed_memory_back() -> bool:
    """Return free memory to the system, also from between blocks in use; False if there was none.

    Otherwise a network's freed memory would add to the next one's working memory.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return malloc_trim is not None and malloc_trim(0) == 1
