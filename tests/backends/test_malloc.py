from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes
from pathlib import Path
from segcube.backends.malloc import give_freed_memory_back, keep_freed_memory

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
