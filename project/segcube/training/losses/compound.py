"""A recipe's loss: Dice plus cross-entropy, summed over the resolutions of deep supervision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, TypeAlias

import torch

from segcube.core import UsageError
from segcube.training.losses.parts import (
    DiceOptions,
    binary_cross_entropy,
    cross_entropy,
    dice_loss,
    focal_loss,
    top_k_cross_entropy,
)
from segcube.training.losses.targets import LossOutputs, Target, make_target, shrink_labels
from segcube.training.recipes import Loss

LossFunction: TypeAlias = Callable[[Sequence[torch.Tensor], torch.Tensor], dict[str, torch.Tensor]]
"""From logits (B, K, X, Y, Z), full resolution first, and label indices (B, X, Y, Z) to the loss and its
parts."""
Part: TypeAlias = Callable[[torch.Tensor, Target], torch.Tensor]


def build_loss(loss: Loss, outputs: LossOutputs, *, batch_dice: bool) -> LossFunction:
    """Build the loss of a recipe for a network's outputs.

    batch_dice: the planner's choice, where the recipe leaves it open. The function returns scalars:
    `loss`, weighted over all resolutions, and the unweighted parts `dice` and `entropy` at full resolution.
    Raises UsageError for an entropy that does not fit the outputs.
    """
    parts = _parts_of(loss, outputs, batch_dice if loss.batch_dice == "auto" else loss.batch_dice)
    weights = {"dice": loss.dice_weight, "entropy": loss.entropy_weight}
    rule: Literal["nearest", "nearest-exact"] = (
        "nearest" if loss.supervision == "mednext" else "nearest-exact"
    )

    def compute(logits: Sequence[torch.Tensor], labels_bxyz: torch.Tensor) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        total = torch.zeros((), device=labels_bxyz.device)
        for level, weight in enumerate(supervision_weights(loss.supervision, len(logits))):
            if weight == 0:
                continue
            logits_bkxyz = logits[level]
            lower_bxyz = shrink_labels(labels_bxyz, logits_bkxyz.shape[2:], rule)
            target = make_target(lower_bxyz, outputs)
            values = {name: part(logits_bkxyz, target) for name, part in parts.items()}
            total = total + weight * sum(weights[name] * value for name, value in values.items())
            if level == 0:
                found = {name: value.detach() for name, value in values.items()}
        return {"loss": total, **found}

    return compute


def supervision_weights(scheme: Literal["nnunet", "mednext", "none"], levels: int) -> list[float]:
    """Return the weight of the loss at each resolution, full resolution first.

    nnunet: halved a level, the lowest 0, of sum 1 (nnU-Net's DeepSupervisionWrapper). mednext: halved a level
    (BraTS-UGRIP). A single resolution has the weight 1.
    """
    halves = [0.5**level for level in range(levels)]
    if scheme == "none" or levels == 1:
        return [1.0] + [0.0] * (levels - 1)
    if scheme == "mednext":
        return halves
    halves[-1] = 0.0
    return [half / sum(halves) for half in halves]


def _parts_of(loss: Loss, outputs: LossOutputs, batch_dice: bool) -> dict[str, Part]:
    kind = outputs.kind
    entropy = loss.entropy
    if entropy == "auto":
        entropy = "bce" if kind == "regions" else "ce"
    expected = {"bce": "regions", "ce": "labels", "topk": "labels"}.get(entropy, kind)
    if expected != kind:
        raise UsageError(
            f"loss.entropy = {entropy!r} for a network of {kind}",
            expected="auto, focal or none" if kind == "regions" else "auto, ce, focal, topk or none",
        )
    entropies: dict[str, Part] = {
        "ce": cross_entropy,
        "bce": binary_cross_entropy,
        "focal": partial(focal_loss, kind=kind, gamma=loss.focal_gamma),
        "topk": partial(top_k_cross_entropy, share=loss.top_k),
    }
    parts: dict[str, Part] = {}
    if loss.dice != "none":
        options = DiceOptions(loss.dice, batch_dice, loss.background)
        parts["dice"] = partial(dice_loss, kind=kind, options=options)
    if entropy != "none":
        parts["entropy"] = entropies[entropy]
    return parts
