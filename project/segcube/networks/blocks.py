"""MedNeXt blocks, shared layers, and the torch classes that arguments may name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional

from segcube.core import Shape
from segcube.networks.arguments import Norm

ONES: Shape = (1, 1, 1)


@dataclass(frozen=True)
class BlockPlan:
    """Settings of a block."""

    in_channels: int
    out_channels: int
    expansion: int
    """Ratio of the channels between the two pointwise convolutions to the input channels."""
    kernel: Shape
    stride: Shape = ONES
    dilation: Shape = ONES
    upsample: bool = False
    """Multiply the size by the stride instead of dividing by it."""
    has_residual: bool = True
    norm: Norm = "group"
    response: bool = False
    """Global response normalization, as in ConvNeXt v2 (arXiv 2301.00808)."""
    dropout: Callable[[], nn.Module | None] = lambda: None
    """Makes the dropout layer of a block."""

    @property
    def residual(self) -> Literal["none", "identity", "projection"]:
        """A projection if size or channels change."""
        if not self.has_residual:
            return "none"
        changes = self.stride != ONES or self.in_channels != self.out_channels
        return "projection" if changes else "identity"


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each voxel."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, C, X, Y, Z); returns the same shape."""
        centred = x - x.mean(1, keepdim=True)
        scaled = centred / torch.sqrt(centred.pow(2).mean(1, keepdim=True) + self.eps)
        return self.weight[:, None, None, None] * scaled + self.bias[:, None, None, None]


def make_norm(norm: Norm, channels: int) -> nn.Module:
    """Make a norm layer; `group` has one group for each channel."""
    return nn.GroupNorm(channels, channels) if norm == "group" else ChannelNorm(channels)


def same_padding(kernel: Shape, dilation: Shape = ONES) -> Shape:
    """Padding that keeps the size at stride 1, for odd kernels."""
    x, y, z = (step * (width - 1) // 2 for width, step in zip(kernel, dilation, strict=True))
    return x, y, z


def upsample_padding(stride: Shape) -> tuple[int, int, int, int, int, int]:
    """Padding of a transposed convolution to `stride` times its input: before and after, last axis first."""
    x, y, z = stride
    return z // 2, (z - 1) // 2, y // 2, (y - 1) // 2, x // 2, (x - 1) // 2


class MedNeXtBlock(nn.Module):
    """Depthwise convolution, norm, pointwise MLP with GELU, residual; with MIC-DKFZ's parameter names."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        wide = plan.expansion * plan.in_channels
        spatial = nn.ConvTranspose3d if plan.upsample else nn.Conv3d
        self.conv1 = spatial(
            plan.in_channels,
            plan.in_channels,
            kernel_size=plan.kernel,
            stride=plan.stride,
            padding=same_padding(plan.kernel, plan.dilation),
            dilation=plan.dilation,
            groups=plan.in_channels,
        )
        self.dropout = plan.dropout() or nn.Identity()
        self.add_expansion(make_norm(plan.norm, plan.in_channels), nn.Conv3d(plan.in_channels, wide, 1))
        self.conv3 = nn.Conv3d(wide, plan.out_channels, 1)
        if plan.residual == "projection":
            self.res_conv = spatial(plan.in_channels, plan.out_channels, kernel_size=1, stride=plan.stride)
        self.residual = plan.residual
        self.response = plan.response
        if plan.response:
            self.grn_beta = nn.Parameter(torch.zeros(1, wide, 1, 1, 1))
            self.grn_gamma = nn.Parameter(torch.zeros(1, wide, 1, 1, 1))
        self.padding = upsample_padding(plan.stride) if plan.upsample else ()

    def add_expansion(self, norm: nn.Module, conv: nn.Module) -> None:
        """Register the norm and the first pointwise convolution under their published names."""
        self.norm = norm
        self.conv2 = conv

    def expand(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the norm, the first pointwise convolution and GELU."""
        return functional.gelu(self.conv2(self.norm(x)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, C, X, Y, Z); returns (N, out_channels, ...), axes divided or multiplied by the stride."""
        y = self.expand(self.dropout(self.conv1(x)))
        if self.response:
            y = self._global_response_norm(y)
        y = self.conv3(y)
        if self.residual == "identity":
            y = x + y
        elif self.residual == "projection":
            y = y + self.res_conv(x)
        return functional.pad(y, self.padding) if any(self.padding) else y

    def _global_response_norm(self, x: torch.Tensor) -> torch.Tensor:
        strength = torch.linalg.vector_norm(x, dim=(-3, -2, -1), keepdim=True)
        relative = strength / (strength.mean(dim=1, keepdim=True) + 1e-6)
        return self.grn_gamma * (x * relative) + self.grn_beta + x


class MBASBlock(MedNeXtBlock):
    """The same block, with the parameter names of anenbergb/MBAS."""

    def add_expansion(self, norm: nn.Module, conv: nn.Module) -> None:
        """Register the norm and the first pointwise convolution under their published names."""
        self.norm_conv2_act = nn.Sequential(norm, conv, nn.GELU())

    def expand(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the norm, the first pointwise convolution and GELU."""
        return self.norm_conv2_act(x)


def repeat_block(block: type[MedNeXtBlock], plan: BlockPlan, count: int) -> nn.Sequential:
    """Make a sequence of `count` equal blocks."""
    return nn.Sequential(*(block(plan) for _ in range(count)))


def named_sequence(**modules: nn.Module) -> nn.Sequential:
    """Make a sequence of modules with names."""
    return nn.Sequential(OrderedDict(modules))


def torch_class(name: str | None) -> Any:
    """The torch class of a dotted name that the arguments allow; None for None."""
    return getattr(nn, name.rpartition(".")[2]) if name else None
