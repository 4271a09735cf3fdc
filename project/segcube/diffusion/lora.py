"""Low-rank adapters (LoRA, Hu et al. 2021) on chosen layers, which are merged into the weights on saving."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn.utils import parametrize

from segcube.core import UsageError

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class LowRank(nn.Module):
    """W + up @ down * alpha / rank, W being the frozen weight (out, in, kernel...); zero at first.

    For a convolution this is one to `rank` channels with W's kernel and then one of 1 x 1 x 1.
    """

    def __init__(self, weight: torch.Tensor, rank: int, alpha: float) -> None:
        super().__init__()
        rows, columns = weight.shape[0], weight[0].numel()
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, columns, dtype=weight.dtype, device=weight.device))
        self.up = nn.Parameter(torch.zeros(rows, rank, dtype=weight.dtype, device=weight.device))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the adapted weight."""
        return weight + (self.up @ self.down).view_as(weight) * self.scale


def add_adapters(network: nn.Module, patterns: Sequence[str], rank: int, alpha: float) -> list[str]:
    """Freeze a network and add adapters to the layers whose names match a pattern; returns these names.

    patterns: such as `up_blocks.*`. Raises UsageError for a pattern without a layer, with the layers' names.
    """
    layers = {name: module for name, module in network.named_modules() if isinstance(module, LAYERS)}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in layers):
            parts = sorted({name.split(".")[0] for name in layers})
            expected = f"a pattern of layers such as {next(iter(layers))}; they lie in {', '.join(parts)}"
            raise UsageError(f"no layer matches {pattern}", expected=expected)
    network.requires_grad_(requires_grad=False)
    chosen = [name for name in layers if any(fnmatchcase(name, pattern) for pattern in patterns)]
    for name in chosen:
        adapter = LowRank(layers[name].weight, rank, alpha)
        parametrize.register_parametrization(layers[name], "weight", adapter)
    return chosen


def merge_adapters(network: nn.Module) -> None:
    """Replace each adapted weight by its value, in place: the network is then a plain one."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
