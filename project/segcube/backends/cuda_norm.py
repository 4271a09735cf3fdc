"""Instance norms that keep channels last, together with the activation and the sum that follow.

torch's own instance norm brings its input to channels first, and the next convolution brings it back: on
nnU-Net's residual encoder that makes channels last slower than channels first (pytorch/pytorch#59168).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeGuard

import torch
from torch import nn
from torch.nn import functional

from segcube.backends.cuda_kernels import Kernels

NO_SLOPE = 1.0


class FusedNorm(nn.Module):
    """leaky(norm(x) + added): an instance norm without running statistics, and what follows it."""

    def __init__(self, norm: nn.InstanceNorm3d, slope: float, kernels: Kernels | None) -> None:
        super().__init__()
        self.weight, self.bias, self.affine = norm.weight, norm.bias, norm.affine
        self.eps, self.slope, self.kernels = norm.eps, slope, kernels

    def forward(self, x: torch.Tensor, added: torch.Tensor | None = None) -> torch.Tensor:
        """x: (N, C, X, Y, Z); added: like it, or none. Channels last stay so."""
        kernels = self.kernels
        if kernels is not None and kernels.takes_last(x) and (added is None or kernels.takes_last(added)):
            affine = (self.weight, self.bias) if self.affine else None
            return kernels.norm_last(x, affine, self.eps, self.slope, added)
        normed = functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        normed = normed if added is None else normed + added
        return normed if self.slope == NO_SLOPE else functional.leaky_relu(normed, self.slope)


def fuse_norms(network: nn.Module, kernels: Kernels | None) -> None:
    """Replace the instance norms of a network; in rows of modules, with the activation that follows.

    Those with running statistics stay. kernels: None for torch's own.
    """
    for row in list(network.modules()):
        if isinstance(row, nn.Sequential):
            _fuse_row(row, kernels)
    made: dict[nn.Module, nn.Module] = {}
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if is_plain_norm(module):
            network.set_submodule(name, made.setdefault(module, FusedNorm(module, NO_SLOPE, kernels)))


def _fuse_row(row: nn.Sequential, kernels: Kernels | None) -> None:
    for place in range(len(row) - 1):
        norm, slope = row[place], slope_of(row[place + 1])
        if is_plain_norm(norm) and slope is not None:
            row[place], row[place + 1] = FusedNorm(norm, slope, kernels), nn.Identity()


def slope_of(activation: nn.Module) -> float | None:
    """A leaky unit's slope below 0, that of a ReLU being 0; None for any other."""
    if isinstance(activation, nn.LeakyReLU):
        return float(activation.negative_slope)
    return 0.0 if isinstance(activation, nn.ReLU) else None


def is_plain_norm(module: nn.Module) -> TypeGuard[nn.InstanceNorm3d]:
    """Whether a module is an instance norm of what it sees alone."""
    return isinstance(module, nn.InstanceNorm3d) and not module.track_running_stats


def drop_idle_biases(network: nn.Module) -> None:
    """Drop the bias of every convolution that an instance norm follows: its mean holds it.

    cuDNN adds a bias in a pass of its own. Rows of modules alone are looked at, dropout passed over.
    """
    for row in network.modules():
        if not isinstance(row, nn.Sequential):
            continue
        for first, second in pairwise(part for part in row if not isinstance(part, nn.Dropout3d)):
            if isinstance(first, nn.Conv3d) and (is_plain_norm(second) or isinstance(second, FusedNorm)):
                first.bias = None
