"""Gradient checkpointing: blocks forget their activations, and compute them again for the gradient."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from dynamic_network_architectures.building_blocks.residual import BasicBlockD, BottleneckD
from dynamic_network_architectures.building_blocks.simple_conv_blocks import StackedConvBlocks
from torch.utils.checkpoint import checkpoint

from segcube.networks import MedNeXtBlock

BLOCKS = (MedNeXtBlock, BasicBlockD, BottleneckD, StackedConvBlocks)
DROPOUTS = (torch.nn.Dropout, torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d)


def checkpoint_blocks(network: torch.nn.Module) -> int:
    """Turn on gradient checkpointing in each block of a network; returns the number of blocks.

    Weights, their names and gradients stay the same. 0: the network has no such blocks.
    """
    blocks = [module for module in network.modules() if isinstance(module, BLOCKS)]
    for block in blocks:
        # Saving the state of the random numbers costs a synchronization with the GPU
        is_random = any(isinstance(part, DROPOUTS) and part.p > 0 for part in block.modules())
        setattr(block, "forward", partial(_run, block.forward, is_random))  # noqa: B010
    return len(blocks)


def _run(forward: Any, is_random: bool, *inputs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False, preserve_rng_state=is_random)
