"""Prepare a network for a GPU: fewer passes over memory, weights cast once, the faster layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from segcube.backends.cuda.kernels import Kernels, open_kernels
from segcube.backends.cuda.mednext import LeanBlock, make_lean
from segcube.backends.cuda.norm import drop_idle_biases, fuse_norms, make_residuals_lean
from segcube.backends.cuda.nvrtc import NoKernels

FURTHEST = {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
"""Largest root mean square change of logits by another order of sums, in their standard deviations."""


@dataclass(frozen=True)
class Resident:
    """A network on its device."""

    module: nn.Module
    layout: torch.memory_format

    def __call__(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits, in the network's own precision."""
        return self.module(batch_ncxyz.contiguous(memory_format=self.layout))


@dataclass(frozen=True)
class Preparation:
    """Device and precision that networks are prepared for."""

    device: str
    dtype: torch.dtype
    log: Callable[[str], None]

    def prepare_checked(self, load: Callable[[], nn.Module], window_ncxyz: torch.Tensor) -> Resident:
        """Prepare a network; unchanged if its logits of a window move too far.

        load: returns a new copy of the network in eval mode. Raises torch.OutOfMemoryError.
        """
        network = load()
        expected_nkxyz = self._logits(self._plain(network), window_ncxyz)
        resident = self.prepare(network)
        apart = _apart(self._logits(resident, window_ncxyz), expected_nkxyz)
        if apart <= FURTHEST[self.dtype]:
            return resident
        self.log(f"made ready for a GPU, a network is {apart:.1g} deviations away: it runs as it is")
        del network, resident
        return self._plain(load())

    def _plain(self, network: nn.Module) -> Resident:
        return Resident(network.to(self.device), torch.contiguous_format)

    def _logits(self, resident: Resident, window_ncxyz: torch.Tensor) -> torch.Tensor:
        kind, half = self.device.split(":")[0], self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(kind, self.dtype, half, cache_enabled=False):
            return resident(window_ncxyz).float()

    def prepare(self, network: nn.Module) -> Resident:
        """Prepare a network in eval mode, in place.

        Raises torch.OutOfMemoryError.
        """
        kernels = self._kernels()
        drop_idle_biases(network)
        fuse_norms(network, kernels)
        make_residuals_lean(network)
        make_lean(network, kernels)
        cast_weights(network, self.dtype)
        layout = suitable_layout(network)
        network.to(self.device, memory_format=layout)  # pyright: ignore
        return Resident(network, layout)

    def _kernels(self) -> Kernels | None:
        if self.device == "cpu":
            return None
        try:
            return open_kernels(self.device, self.dtype)
        except NoKernels as error:
            self.log(f"on torch's kernels alone, which take longer: {error}")
            return None


def _apart(found_nkxyz: torch.Tensor, expected_nkxyz: torch.Tensor) -> float:
    """Distance of logits in deviations; 0 where half precision overflows, which is reported case by case."""
    if not bool(expected_nkxyz.isfinite().all()):
        return 0.0
    moved = (found_nkxyz - expected_nkxyz).square().mean().sqrt()
    return float(moved / expected_nkxyz.std().clamp(min=1e-12))


def cast_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Cast once what autocast casts in every forward: the weights of products. Norms keep theirs."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d | nn.Linear | LeanBlock):
            module.to(dtype)


def suitable_layout(network: nn.Module) -> torch.memory_format:
    """Channels first for a network of depthwise convolutions, whose kernels take it; else last."""
    for module in network.modules():
        depthwise = isinstance(module, nn.Conv3d) and module.groups == module.in_channels > 1
        if depthwise or isinstance(module, LeanBlock):
            return torch.contiguous_format
    return torch.channels_last_3d
