"""nnU-Net's residual blocks in fewer passes over memory."""

from __future__ import annotations

from math import prod
from typing import Any, cast

import torch
from dynamic_network_architectures.building_blocks.residual import BasicBlockD
from torch import nn

from segcube.backends.cuda_norm import NO_SLOPE, FusedNorm, slope_of


class LeanResidual(nn.Module):
    """A `BasicBlockD` in eval mode whose last norm adds the residual and activates."""

    def __init__(self, block: BasicBlockD, slope: float) -> None:
        super().__init__()
        *second, norm = block.conv2.all_modules
        assert isinstance(norm, FusedNorm), "the others keep their block"
        self.first, self.second, self.norm = block.conv1, nn.Sequential(*second), norm
        self.norm.slope = slope
        self.skip = block.skip if isinstance(block.skip, nn.Module) else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As the block it was made of; x: (N, C, X, Y, Z)."""
        return self.norm(self.second(self.first(x)), self.skip(x))


def make_residuals_lean(network: nn.Module) -> None:
    """Replace the residual blocks that a lean one can stand for; their norms are fused ones by now."""
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

    torch's average pooling brings channels last to channels first.
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
