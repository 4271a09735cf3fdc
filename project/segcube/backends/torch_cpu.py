"""Plain torch on a CPU or a CUDA device: the reference backend."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from segcube.backends.fit import check_member
from segcube.backends.memory import out_of_memory_errors
from segcube.core import EnvironmentFault, Shape, reduced_cpu_count
from segcube.networks import load_network
from segcube.spec.submission import MemberFile

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_THREADED_IN: set[int] = set()
"""Processes in which torch uses several threads: this one, and those that it was forked from."""


@dataclass
class TorchBackend:
    """Networks in eval mode under autocast; arrays are torch tensors."""

    device: str
    precision: str
    reason: str
    name: str = "torch"
    networks: dict[MemberFile, torch.nn.Module] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _refuse_forked_process()
        # If two threads start MKL's first exp at once, one result may be off by 1e-4; this call is the first
        torch.exp(torch.zeros(1))

    def load(self, member: MemberFile) -> TorchNetwork:
        """The network of a weights file; read once, then kept on the device."""
        if member not in self.networks:
            check_member(member)
            with out_of_memory_errors():
                self.networks[member] = load_network(member.file, member.sha256).to(self.device)
        return TorchNetwork(self.networks[member], self.device, DTYPES[self.precision])

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> None:
        """None: torch frees a layer's memory after it, so that nothing is saved."""

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """A copy on the device."""
        with out_of_memory_errors():
            return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def zeros(self, channels: int, shape: Shape) -> torch.Tensor:
        with out_of_memory_errors():
            return torch.zeros((channels, *shape), device=self.device)

    def download(self, array: torch.Tensor) -> np.ndarray:
        return array.cpu().numpy()

    def release(self) -> None:
        """Give cached blocks back to the device."""
        if self.device != "cpu":
            torch.cuda.empty_cache()

    def in_fp32(self) -> TorchBackend:
        """The same device and networks in fp32."""
        return TorchBackend(self.device, "fp32", "half precision overflowed", networks=self.networks)


@dataclass(frozen=True)
class TorchNetwork:
    """A module on its device."""

    module: torch.nn.Module
    device: str
    dtype: torch.dtype

    def __call__(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits, float32."""
        half = self.dtype != torch.float32
        with (
            out_of_memory_errors(),
            torch.inference_mode(),
            torch.autocast(self.device.split(":")[0], self.dtype, half),
        ):
            return self.module(batch_ncxyz).float()


def _refuse_forked_process() -> None:
    """Raise EnvironmentFault in a child forked after its parent used torch: it lacks the parent's threads."""
    if torch.get_num_threads() == 1:
        return
    _THREADED_IN.add(os.getpid())
    if len(_THREADED_IN) > 1:
        raise EnvironmentFault(
            "this process was forked after torch had computed, and lacks the threads that torch waits for",
            expected="a process of its own",
            hint="start it by multiprocessing's method spawn, or call torch.set_num_threads(1) in it",
        )


def on_cpu(precision: str, why: str) -> TorchBackend:
    """torch on the CPU; why: what comes before its name and precision in the reason."""
    if (threads := reduced_cpu_count()) is not None:
        torch.set_num_threads(min(threads, torch.get_num_threads()))
    return TorchBackend("cpu", precision, f"{why}; torch {torch.__version__}, {precision}")


def selftest_window(channels: int, window: Shape) -> torch.Tensor:
    """A window of noise, always the same: (1, channels, *window)."""
    return torch.randn((1, channels, *window), generator=torch.Generator().manual_seed(0))
