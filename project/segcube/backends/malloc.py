"""Keep freed memory in the process, or give it back."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
KEEP_BYTES = 2**30


def keep_freed_memory() -> bool:
    """Tell glibc to keep large freed blocks; False where there is no glibc.

    Without this every layer's output is mapped, zeroed by the kernel and unmapped again, which takes a third
    to two thirds of a network's time on a CPU.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    kept = [mallopt(option, KEEP_BYTES) for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD)]
    return all(kept)


def give_freed_memory_back() -> bool:
    """Tell glibc to give the kernel what is free, between blocks in use too; False where nothing could go.

    What a network leaves when its turn ends would stand beside the next one's working memory.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return malloc_trim is not None and malloc_trim(0) == 1
