"""Memory of a training step: what a device has, what a step took, and a simulation for CPUs."""

from __future__ import annotations

import os
import resource
import sys
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MEMORY_INFO, MEMORY_LIMIT = Path("/proc/meminfo"), Path("/sys/fs/cgroup/memory.max")
GB = 1e9


def available_gb(device: torch.device) -> float:
    """Return the memory that this process may still take, in GB: of the GPU, or of machine or container."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return (torch.cuda.mem_get_info(device)[0] + unused) / GB
    known = _kilobytes(MEMORY_INFO, "MemAvailable")
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if known is None else known * 1024
    limit = MEMORY_LIMIT.read_text().strip() if MEMORY_LIMIT.is_file() else "max"
    return min(total, int(limit) if limit.isdecimal() else total) / GB


def reset_peak(device: torch.device) -> None:
    """Begin a new measurement of `peak_gb`; where the system cannot, the peak remains the process's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif RESET.exists():
        RESET.write_text("5")


def peak_gb(device: torch.device) -> float:
    """Return the peak since `reset_peak`: allocated memory of the GPU, or memory of this process, in GB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GB
    peak = _kilobytes(STATUS, "VmHWM")
    if peak is not None:
        return peak * 1024 / GB
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found * (1 if sys.platform == "darwin" else 1024) / GB


def _kilobytes(file: Path, key: str) -> int | None:
    lines = file.read_text().splitlines() if file.is_file() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), None)


class _Tensors(TorchDispatchMode):
    """Adds up the tensors that are alive at a time, of all operations within it."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[int, weakref.ref[Any]] = {}
        self.bytes = 0
        self.peak = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                self._add(value.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self.alive:
            return

        def forget(_: Any) -> None:
            self.bytes -= size
            self.alive.pop(key, None)

        self.alive[key] = weakref.ref(storage, forget)
        self.bytes += size
        self.peak = max(self.peak, self.bytes)


def simulate_peak_gb(network: torch.nn.Module, shape: Sequence[int]) -> float:
    """Return the largest sum of tensors in a forward and backward pass, without computing either, in GB.

    network: on the meta device, in training mode. shape: of the input (B, C, X, Y, Z), float32. Weights and
    scratch memory of the kernels are not part of it; the latter took up to half as much again in tests.
    """
    with torch.device("meta"), _Tensors() as tensors:
        outputs: Any = network(torch.empty(tuple(shape)))
        levels = [outputs] if isinstance(outputs, torch.Tensor) else outputs
        loss: Any = sum(level.square().mean() for level in levels)
        del outputs, levels
        loss.backward()
    return tensors.peak / GB
