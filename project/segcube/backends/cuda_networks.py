"""Make a network ready for a GPU: fewer passes over memory, weights cast once, the layout that suits."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from segcube.backends.cuda_gelu import BiasGelu, fused_bias_gelu, plain_bias_gelu
from segcube.backends.cuda_mednext import LeanBlock, make_lean
from segcube.backends.cuda_norm import drop_idle_biases, keep_channels_last
from segcube.choices import Compile

COMPILERS = ("cc", "gcc", "clang")
"""Triton needs one of them when it runs."""


FURTHEST = {torch.float32: 1e-3, torch.float16: 0.02, torch.bfloat16: 0.1}
"""Root mean square that logits may move in another order of the same sums, in standard deviations of them."""


@dataclass(frozen=True)
class Resident:
    """A network on its device."""

    module: nn.Module
    layout: torch.memory_format

    def __call__(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits, in the precision that the network gives them in."""
        return self.module(batch_ncxyz.contiguous(memory_format=self.layout))


@dataclass(frozen=True)
class Making:
    """How networks are made ready."""

    device: str
    dtype: torch.dtype
    compile: Compile
    tell: Callable[[str], None]

    def tried(self, load: Callable[[], nn.Module], window_ncxyz: torch.Tensor) -> Resident:
        """A network made ready, if its logits of a window are those that it gave before; else as it is.

        load: gives the network in eval mode, a new one each time. Raises torch.OutOfMemoryError.
        """
        network = load()
        expected_nkxyz = self._said(self._plain(network), window_ncxyz)
        resident = self.ready(network)
        apart = _apart(self._said(resident, window_ncxyz), expected_nkxyz)
        if apart <= FURTHEST[self.dtype]:
            return resident
        self.tell(f"made ready for a GPU, a network is {apart:.1g} deviations away: it runs as it is")
        del network, resident
        return self._plain(load())

    def _plain(self, network: nn.Module) -> Resident:
        return Resident(network.to(self.device), torch.contiguous_format)

    def _said(self, resident: Resident, window_ncxyz: torch.Tensor) -> torch.Tensor:
        kind, half = self.device.split(":")[0], self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(kind, self.dtype, half, cache_enabled=False):
            return resident(window_ncxyz).float()

    def ready(self, network: nn.Module) -> Resident:
        """Make a network in eval mode ready; it is changed and belongs to the result.

        Raises torch.OutOfMemoryError.
        """
        drop_idle_biases(network)
        keep_channels_last(network)
        why_not = compiler_missing() if self.compile == "on" else "not asked for"
        is_mednext = make_lean(network, self._bias_gelu(compiles=not why_not))
        cast_weights(network, self.dtype)
        layout = suitable_layout(network)
        network.to(self.device, memory_format=layout)  # pyright: ignore
        if is_mednext and not why_not:
            # A choice by the clock would let the same input give other bytes
            network.compile(dynamic=False, options={"deterministic": True})
        elif is_mednext and self.compile == "on":
            self.tell(f"MedNeXt's blocks are not compiled: {why_not}")
        return Resident(network, layout)

    def _bias_gelu(self, compiles: bool) -> BiasGelu:
        # torch.compile fuses the plain form itself
        if compiles or self.compile == "off":
            return plain_bias_gelu
        return fused_bias_gelu(self.device, self.dtype)


def _apart(found_nkxyz: torch.Tensor, expected_nkxyz: torch.Tensor) -> float:
    """How far logits lie from others; 0 where half precision overflows in those: it is told case by case."""
    if not bool(expected_nkxyz.isfinite().all()):
        return 0.0
    moved = (found_nkxyz - expected_nkxyz).square().mean().sqrt()
    return float(moved / expected_nkxyz.std().clamp(min=1e-12))


def compiler_missing() -> str:
    """What torch.compile lacks on this machine; empty where it has all."""
    if importlib.util.find_spec("triton") is None:
        return "triton is not installed"
    return "" if any(shutil.which(name) for name in COMPILERS) else "there is no C compiler"


def cast_weights(network: nn.Module, dtype: torch.dtype) -> None:
    """Cast once what autocast casts in every forward: the weights of products. Norms keep theirs."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d | nn.Linear | LeanBlock):
            module.to(dtype)


def suitable_layout(network: nn.Module) -> torch.memory_format:
    """Channels first for a network of depthwise convolutions, which torch's own kernel takes; else last."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and module.groups == module.in_channels > 1:
            return torch.contiguous_format
    return torch.channels_last_3d
