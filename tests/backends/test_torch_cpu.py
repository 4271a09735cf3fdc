from __future__ import annotations

import pytest
import torch

from segcube.backends import DeviceMemoryError
from segcube.backends.torch_cpu import out_of_memory_errors


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_every_report_of_exhausted_memory_raises_one_error(error):
    with pytest.raises(DeviceMemoryError), out_of_memory_errors():
        raise error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), out_of_memory_errors():
        raise RuntimeError("shapes do not match")
