"""Instance norms that keep channels last, and convolutions before them without the bias that they take away.

torch's own instance norm brings its input to channels first, and the next convolution brings it back: on
nnU-Net's residual encoder that makes channels last slower than channels first (pytorch/pytorch#59168).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


class ChannelsLastInstanceNorm(nn.Module):
    """An instance norm as a batch norm of each window alone, whose kernels take either layout."""

    def __init__(self, norm: nn.InstanceNorm3d) -> None:
        super().__init__()
        # The kernels take their sums' precision from these
        self.weight = norm.weight if norm.affine else _fixed(torch.ones(norm.num_features))
        self.bias = norm.bias if norm.affine else _fixed(torch.zeros(norm.num_features))
        self.eps = norm.eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (N, C, X, Y, Z); returns the same shape in the same layout."""
        if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last_3d):
            return functional.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)
        normed = torch.empty_like(x)
        for index in range(len(x)):
            # The kernels know channels last of four axes alone
            self._norm(x[index : index + 1].flatten(2, 3), normed[index : index + 1].flatten(2, 3))
        return normed

    def _norm(self, window: torch.Tensor, out: torch.Tensor) -> None:
        mean, scale = torch.empty((2, window.shape[1]), device=window.device).unbind()
        torch.ops.aten.native_batch_norm.out(
            window,
            self.weight,
            self.bias,
            None,
            None,
            True,
            0.0,
            self.eps,
            out=out,
            save_mean=mean,
            save_invstd=scale,
        )


def keep_channels_last(network: nn.Module) -> None:
    """Replace the instance norms of a network; those with running statistics stay."""
    made: dict[nn.Module, nn.Module] = {}
    for name, module in list(network.named_modules(remove_duplicate=False)):
        if isinstance(module, nn.InstanceNorm3d) and not module.track_running_stats:
            network.set_submodule(name, made.setdefault(module, ChannelsLastInstanceNorm(module)))


def drop_idle_biases(network: nn.Module) -> None:
    """Drop the bias of every convolution that an instance norm follows: its mean holds it.

    cuDNN adds a bias in a pass of its own. Rows of modules alone are looked at, dropout passed over.
    """
    for row in network.modules():
        if not isinstance(row, nn.Sequential):
            continue
        for first, second in pairwise(part for part in row if not isinstance(part, nn.Dropout3d)):
            if isinstance(first, nn.Conv3d) and _normed_alone(second):
                first.bias = None


def _fixed(tensor: torch.Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)


def _normed_alone(module: nn.Module) -> bool:
    if isinstance(module, nn.InstanceNorm3d):
        return not module.track_running_stats
    return isinstance(module, ChannelsLastInstanceNorm)
