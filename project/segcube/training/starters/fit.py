"""The training loop: patches of synthetic cases, schedule-free AdamW."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import schedulefree
import torch
from torch.nn import functional

from segcube.training.starters.patches import TrainPlan, draw_patch
from segcube.training.starters.samples import Sample

_SMOOTH = 1.0


def dice_and_entropy(
    logits_bkxyz: torch.Tensor, target_bkxyz: torch.Tensor, kind: Literal["regions", "labels"]
) -> torch.Tensor:
    """Soft Dice loss (mean over channels, over the whole batch) plus mean cross-entropy; a scalar.

    regions: sigmoid and binary cross-entropy. labels: softmax, Dice without the background (first).
    """
    if kind == "regions":
        entropy = functional.binary_cross_entropy_with_logits(logits_bkxyz, target_bkxyz)
        return entropy + soft_dice_loss(torch.sigmoid(logits_bkxyz), target_bkxyz)
    entropy = -(target_bkxyz * functional.log_softmax(logits_bkxyz, 1)).sum(1).mean()
    return entropy + soft_dice_loss(torch.softmax(logits_bkxyz, 1)[:, 1:], target_bkxyz[:, 1:])


def soft_dice_loss(probability_bkxyz: torch.Tensor, target_bkxyz: torch.Tensor) -> torch.Tensor:
    """1 - mean Dice over channels; squares in the denominator make a target of 0.3 optimal at 0.3."""
    axes = (0, 2, 3, 4)
    both = (probability_bkxyz * target_bkxyz).sum(axes)
    each = (probability_bkxyz**2).sum(axes) + (target_bkxyz**2).sum(axes)
    return 1 - ((2 * both + _SMOOTH) / (each + _SMOOTH)).mean()


_CLIP = 12.0
_REPORT_EVERY = 25


def train_network(
    network: torch.nn.Module,
    samples: Sequence[Sample],
    plan: TrainPlan,
    log: Callable[[str], None] = print,
) -> list[float]:
    """Train in place, one patch a step; returns the loss of every step.

    Leaves the network in evaluation mode with the averaged weights of schedule-free AdamW (Defazio 2024).
    The same plan and samples give the same weights on the same machine.
    """
    rng = np.random.default_rng(plan.seed)
    # Depthwise convolutions in float32 are twice as fast on a CPU with the channels last
    layout = torch.contiguous_format if plan.bf16 else torch.channels_last_3d
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    network.train()
    optimizer = schedulefree.AdamWScheduleFree(
        network.parameters(), lr=plan.rate, warmup_steps=plan.warmup, weight_decay=0.0
    )
    optimizer.train()
    losses: list[float] = []
    began = time.monotonic()
    for step in range(1, plan.steps + 1):
        image, target = draw_patch(rng, samples[int(rng.integers(len(samples)))], plan)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            logits = network(image[None].contiguous(memory_format=layout))
        loss = dice_and_entropy(logits.float(), target[None], plan.kind)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        losses.append(float(loss.detach()))
        if step % _REPORT_EVERY == 0:
            mean = np.mean(losses[-_REPORT_EVERY:])
            log(f"step {step}/{plan.steps} loss {mean:.3f} {time.monotonic() - began:.0f} s")
    optimizer.eval()
    network.eval()
    return losses
