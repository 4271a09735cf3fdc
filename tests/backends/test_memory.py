from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest
import torch

from segcube.backends.memory import DeviceMemoryError, out_of_memory_errors

SCRIPT = """
import ctypes
from pathlib import Path
from segcube.backends.memory import give_freed_memory_back, keep_freed_memory

malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
malloc.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])


assert keep_freed_memory()
before = resident()
blocks = [malloc(2**16) for _ in range(320)]
for block in blocks:
    ctypes.memset(block, 1, 2**16)
for block in blocks[:-1]:
    free(block)
kept = resident()
assert give_freed_memory_back()
print(kept - before, resident() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_freed_memory_stays_until_it_is_given_back():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    kept, left = map(int, ran.stdout.split())
    assert kept > 4000
    assert left < kept / 4


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("Exception from src/inference/src/cpp/infer_request.cpp:223:\nstd::bad_alloc"),
    ],
)
def test_every_report_of_exhausted_memory_raises_one_error(error):
    with pytest.raises(DeviceMemoryError), out_of_memory_errors():
        raise error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_errors():
        raise RuntimeError("shapes do not match")
