"""The training loop: patches of made cases, AdamW without a schedule."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import schedulefree
import torch

from segcube.train.losses import dice_and_entropy
from segcube.train.patches import draw_patch
from segcube.train.plan import TrainPlan
from segcube.train.samples import Sample

_CLIP = 12.0
_REPORT_EVERY = 25


def train_network(
    network: torch.nn.Module,
    samples: Sequence[Sample],
    plan: TrainPlan,
    tell: Callable[[str], None] = print,
) -> list[float]:
    """Train in place, one patch a step; returns the loss of every step.

    Leaves the network in evaluation mode with the averaged weights of schedule-free AdamW (Defazio 2024).
    The same plan and samples give the same weights on the same machine.
    """
    rng = np.random.default_rng(plan.seed)
    _lay_out(network, plan)
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
            logits = network(image[None].contiguous(memory_format=_layout(plan)))
        loss = dice_and_entropy(logits.float(), target[None], plan.kind)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        losses.append(float(loss.detach()))
        if step % _REPORT_EVERY == 0:
            mean = np.mean(losses[-_REPORT_EVERY:])
            tell(f"step {step}/{plan.steps} loss {mean:.3f} {time.monotonic() - began:.0f} s")
    optimizer.eval()
    network.eval()
    return losses


def _lay_out(network: torch.nn.Module, plan: TrainPlan) -> None:
    for parameter in network.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=_layout(plan))


def _layout(plan: TrainPlan) -> torch.memory_format:
    """Channels last in float32: depthwise convolutions run twice as fast so on a CPU."""
    return torch.contiguous_format if plan.bf16 else torch.channels_last_3d
