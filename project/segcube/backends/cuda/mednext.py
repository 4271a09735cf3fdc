"""MedNeXt's block for inference on a GPU: the same function in fewer passes over memory.

A block that keeps its size gains a depthwise kernel that reads each voxel about once; a norm whose sums fill
the device and whose scale and shift are part of the expansion's weights; no bias passes but GELU's own; and
the residual inside the compressing product.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from segcube.backends.cuda.depthwise import every, without_bias
from segcube.backends.cuda.kernels import Kernels
from segcube.networks import MBASBlock, MedNeXtBlock

Residual = Literal["none", "identity", "down", "up"]


class LeanBlock(nn.Module):
    """A `MedNeXtBlock` with a norm for each channel and no response normalization, in eval mode."""

    def __init__(self, block: MedNeXtBlock, kernels: Kernels | None) -> None:
        super().__init__()
        norm, expansion = _norm_and_expansion(block)
        assert isinstance(norm, nn.GroupNorm), "_can_be_lean was checked"
        expand = expansion.weight.flatten(1)
        self.expand = _fixed(expand * norm.weight)
        self.expand_bias = _fixed((_bias(expansion) + expand @ norm.bias)[:, None])
        self.compress = _fixed(block.conv3.weight.flatten(1))
        self.compress_bias = _fixed(_bias(block.conv3)[:, None])
        self.eps: float = norm.eps
        self.stride = block.conv1.stride
        # The norm that follows removes any bias
        self.spatial = without_bias(block.conv1, kernels)
        self.residual: Residual = "identity" if block.residual == "identity" else "none"
        if block.residual == "projection":
            self._add_projection(block.res_conv)
        self.padding = block.padding
        self.kernels = kernels

    def _add_projection(self, conv: nn.Module) -> None:
        assert isinstance(conv, nn.Conv3d | nn.ConvTranspose3d)
        up = isinstance(conv, nn.ConvTranspose3d)
        weight = conv.weight.detach().flatten(1)
        self.residual = "up" if up else "down"
        self.project = _fixed(weight.T.contiguous() if up else weight)
        # One bias serves both: that of a transposed convolution stands at every voxel, too
        self.compress_bias.data += _bias(conv).detach()[:, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same function as the original block; x: (N, C, X, Y, Z)."""
        normed = self._norm(self.spatial(x))
        hidden_nks = self._bias_gelu(_product(self.expand, normed.flatten(2)))
        out = self._compressed(hidden_nks, x).unflatten(2, normed.shape[2:])
        if self.residual == "up":
            every(out, self.stride).add_(_product(self.project, x.flatten(2)).unflatten(2, x.shape[2:]))
        return functional.pad(out, self.padding) if any(self.padding) else out

    def _norm(self, x: torch.Tensor) -> torch.Tensor:
        """x: may be overwritten."""
        if self.kernels is not None and self.kernels.takes_first(x):
            return self.kernels.norm_first_(x, self.eps)
        return functional.instance_norm(x, eps=self.eps)

    def _bias_gelu(self, hidden_nks: torch.Tensor) -> torch.Tensor:
        if self.kernels is not None and self.kernels.takes_first(hidden_nks):
            return self.kernels.bias_gelu_(hidden_nks, self.expand_bias)
        return functional.gelu(hidden_nks.add_(self.expand_bias))

    def _compressed(self, hidden_nks: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """The compressing product and its bias, with residuals that have every voxel: (N, K, S)."""
        if self.residual in ("none", "up"):
            return _product(self.compress, hidden_nks).add_(self.compress_bias)
        if self.residual == "identity":
            start_nks = x.flatten(2) + self.compress_bias
        else:
            start_nks = _product(self.project, every(x, self.stride).flatten(2)).add_(self.compress_bias)
        if start_nks.dtype != hidden_nks.dtype:
            return start_nks + _product(self.compress, hidden_nks)
        return start_nks.baddbmm_(self.compress.expand(len(x), -1, -1), hidden_nks)


def make_lean(network: nn.Module, kernels: Kernels | None) -> None:
    """Replace the MedNeXt blocks that a lean one can stand for; kernels: None for torch's own."""
    made: dict[nn.Module, nn.Module] = {}
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if isinstance(module, MedNeXtBlock) and _can_be_lean(module):
            network.set_submodule(name, made.setdefault(module, LeanBlock(module, kernels)))


def _can_be_lean(block: MedNeXtBlock) -> bool:
    norm, _ = _norm_and_expansion(block)
    return isinstance(norm, nn.GroupNorm) and norm.num_groups == norm.num_channels and not block.response


def _norm_and_expansion(block: MedNeXtBlock) -> tuple[nn.Module, nn.Conv3d]:
    row = block.norm_conv2_act if isinstance(block, MBASBlock) else (block.norm, block.conv2)
    norm, expansion = row[0], row[1]
    assert isinstance(expansion, nn.Conv3d)
    return norm, expansion


def _bias(conv: nn.Module) -> torch.Tensor:
    assert isinstance(conv.bias, torch.Tensor), "every convolution of a block has a bias"
    return conv.bias


def _fixed(tensor: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach().clone(), requires_grad=False)


def _product(weight_kc: torch.Tensor, values_ncs: torch.Tensor) -> torch.Tensor:
    return torch.bmm(weight_kc.expand(len(values_ncs), -1, -1), values_ncs)
