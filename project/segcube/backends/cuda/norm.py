"""Instance norms and nnU-Net's residual blocks in fewer passes over memory."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any, TypeGuard, cast

import torch
from dynamic_network_architectures.building_blocks.residual import BasicBlockD
from torch import nn
from torch.nn import functional

from segcube.backends.cuda.kernels import Kernels

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


class LeanResidual(nn.Module):
    """A `BasicBlockD` in eval mode whose last norm adds the residual and activates."""

    def __init__(self, block: BasicBlockD, slope: float) -> None:
        super().__init__()
        *second, norm = block.conv2.all_modules
        assert isinstance(norm, FusedNorm), "_slope_of_lean was checked"
        self.first, self.second, self.norm = block.conv1, nn.Sequential(*second), norm
        self.norm.slope = slope
        self.skip = block.skip if isinstance(block.skip, nn.Module) else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same function as the original block; x: (N, C, X, Y, Z)."""
        return self.norm(self.second(self.first(x)), self.skip(x))


def make_residuals_lean(network: nn.Module) -> None:
    """Replace the residual blocks that a lean one can replace; `fuse_norms` has run."""
    made: dict[nn.Module, nn.Module] = {}
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if isinstance(module, BasicBlockD) and module not in made:
            slope = _slope_of_lean(module)
            if slope is not None:
                _pool_in_convolution(module.skip)
                made[module] = LeanResidual(module, slope)
        if module in made:
            network.set_submodule(name, made[module])


def _slope_of_lean(block: BasicBlockD) -> float | None:
    """The slope below 0 of a block's last activation; None where no lean block can stand for it."""
    norm, activation = block.conv2.all_modules[-1], block.nonlin2
    if block.apply_stochastic_depth or block.apply_se or not isinstance(activation, nn.Module):
        return None
    is_plain = isinstance(norm, FusedNorm) and norm.slope == NO_SLOPE
    return slope_of(activation) if is_plain else None


def _pool_in_convolution(skip: object) -> None:
    """Average inside of the 1x1x1 convolution that follows, which becomes a strided one.

    torch's average pooling converts channels last to channels first.
    """
    if not isinstance(skip, nn.Sequential) or len(skip) != 2 or not isinstance(skip[0], nn.AvgPool3d):
        return
    # Their attributes are known to torch's stubs as tensors or modules
    pool, conv = cast(Any, skip[0]), cast(Any, skip[1]).conv
    size = _three(pool.kernel_size)
    whole = _three(pool.stride) == size and _three(pool.padding) == (0, 0, 0) and not pool.ceil_mode
    if not whole or conv.kernel_size != (1, 1, 1) or conv.stride != (1, 1, 1):
        return
    averaged = conv.weight.detach().expand(-1, -1, *size) / prod(size)
    conv.weight = nn.Parameter(averaged.contiguous(), requires_grad=False)
    conv.kernel_size = conv.stride = size
    skip[0] = nn.Identity()


def _three(size: int | tuple[int, int, int] | list[int]) -> tuple[int, ...]:
    return (size,) * 3 if isinstance(size, int) else tuple(size)
