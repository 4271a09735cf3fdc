"""Depthwise convolutions without a bias, plain and transposed."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from segcube.backends.cuda.kernels import LARGEST, Kernels


class Way(NamedTuple):
    """How a kernel goes over its input, along each axis."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def is_own(self, sizes: tuple[int, ...]) -> bool:
        """Whether `Kernels.depthwise` goes so with a kernel of these sizes: it keeps every voxel."""
        whole = {*self.stride, *self.dilation} == {1} and self.padding == tuple(size // 2 for size in sizes)
        return whole and all(size % 2 == 1 and size <= LARGEST for size in sizes)


class DepthwiseConv(nn.Module):
    """A depthwise convolution without its bias, by the own kernel where that can make it."""

    def __init__(self, weight: torch.Tensor, way: Way, kernels: Kernels | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
        self.way = way
        self.kernels = kernels if way.is_own(tuple(weight.shape[2:])) else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, C, X, Y, Z)."""
        if self.kernels is not None:
            # As autocast does before a convolution of torch's
            x = x.to(self.weight.dtype).contiguous()
            if self.kernels.takes_first(x):
                return self.kernels.depthwise(x, self.weight)
        stride, padding, dilation = self.way
        return functional.conv3d(x, self.weight, None, stride, padding, dilation, len(self.weight))


class StuffedConv(nn.Module):
    """A depthwise transposed convolution, as a convolution of its input among zeros, without a bias.

    torch has a depthwise kernel for convolutions, and none for transposed ones.
    """

    def __init__(self, conv: nn.ConvTranspose3d, kernels: Kernels | None) -> None:
        super().__init__()
        self.stride = conv.stride
        axes = zip(conv.dilation, conv.kernel_size, conv.padding, strict=True)
        padding = tuple(d * (k - 1) - int(p) for d, k, p in axes)
        way = Way((1, 1, 1), padding, conv.dilation)
        self.conv = DepthwiseConv(conv.weight.flip(2, 3, 4), way, kernels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, C, X, Y, Z); returns (N, C, ...), (n - 1) * stride + 1 long along each axis."""
        size = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], self.stride, strict=True)]
        stuffed = x.new_zeros((*x.shape[:2], *size))
        every(stuffed, self.stride).copy_(x)
        return self.conv(stuffed)


def without_bias(conv: nn.Conv3d | nn.ConvTranspose3d, kernels: Kernels | None) -> nn.Module:
    """A depthwise convolution, plain or transposed, without its bias; kernels: None for torch's own."""
    if isinstance(conv, nn.ConvTranspose3d):
        return StuffedConv(conv, kernels)
    padding = tuple(int(p) for p in conv.padding)
    return DepthwiseConv(conv.weight, Way(conv.stride, padding, conv.dilation), kernels)


def every(x: torch.Tensor, stride: tuple[int, ...]) -> torch.Tensor:
    """Every stride-th voxel, as a view."""
    return x[:, :, :: stride[0], :: stride[1], :: stride[2]]
