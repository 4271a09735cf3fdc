"""Keep freed memory in the process, or return it to the system."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEEP_BYTES = 2**30


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
