"""A recipe's loss: Dice plus cross-entropy, summed over the resolutions of deep supervision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, Protocol, TypeAlias

import torch

from segcube.core import UsageError
from segcube.training.losses.parts import (
    DiceOptions,
    binary_cross_entropy,
    cross_entropy,
    dice_loss,
    distance_loss,
    focal_loss,
    top_k_cross_entropy,
)
from segcube.training.losses.targets import IGNORE, LossOutputs, Target, make_target, shrink_labels
from segcube.training.recipes import Loss


class LossFunction(Protocol):
    """A loss of logits (B, K, X, Y, Z), full resolution first, and label indices (B, X, Y, Z)."""

    def __call__(
        self,
        logits: Sequence[torch.Tensor],
        labels_bxyz: torch.Tensor,
        batch_bxyz: torch.Tensor | None = None,
        progress: float = 0.0,
    ) -> dict[str, torch.Tensor]:
        """Return the loss and its parts.

        batch_bxyz: the labels of the batch of which these samples are a part; the values are then what they
        add to those of the batch, which is exact for a loss that `is_divisible`. progress: share of the steps
        that are done, for weights that change.
        """
        ...


Part: TypeAlias = Callable[[torch.Tensor, Target], torch.Tensor]


def build_loss(loss: Loss, outputs: LossOutputs, *, batch_dice: bool) -> LossFunction:
    """Build the loss of a recipe for a network's outputs.

    batch_dice: the planner's choice, where the recipe leaves it open. The function returns scalars:
    `loss`, weighted over all resolutions, and the unweighted parts `dice`, `entropy` and `distance` at full
    resolution, those whose weight is not 0. Raises UsageError for an entropy that does not fit the outputs,
    and for a distance where voxels may be ignored.
    """
    parts = _parts_of(loss, outputs, _has_batch_dice(loss, batch_dice))
    rule: Literal["nearest", "nearest-exact"] = (
        "nearest" if loss.supervision == "mednext" else "nearest-exact"
    )

    def compute(
        logits: Sequence[torch.Tensor],
        labels_bxyz: torch.Tensor,
        batch_bxyz: torch.Tensor | None = None,
        progress: float = 0.0,
    ) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = {}
        weights = _weights(loss, progress)
        total = torch.zeros((), device=labels_bxyz.device)
        for level, weight in enumerate(supervision_weights(loss.supervision, len(logits))):
            if weight == 0:
                continue
            logits_bkxyz = logits[level]
            lower_bxyz = shrink_labels(labels_bxyz, logits_bkxyz.shape[2:], rule)
            target = make_target(lower_bxyz, outputs)
            values = {name: part(logits_bkxyz, target) for name, part in parts.items() if weights[name]}
            if batch_bxyz is not None:
                whole_bxyz = shrink_labels(batch_bxyz, logits_bkxyz.shape[2:], rule)
                shares = _shares(lower_bxyz, whole_bxyz, ignore=outputs.ignore)
                values = {name: value * shares[name] for name, value in values.items()}
            total = total + weight * sum(weights[name] * value for name, value in values.items())
            if level == 0:
                found = {name: value.detach() for name, value in values.items()}
        return {"loss": total, **found}

    return compute


def is_divisible(loss: Loss, *, batch_dice: bool) -> bool:
    """Whether the loss of a batch is a weighted sum of those of its parts.

    It is not with a Dice over the batch, nor with the hardest voxels of the batch (topk).
    """
    return loss.entropy != "topk" and (loss.dice == "none" or not _has_batch_dice(loss, batch_dice))


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


def _weights(loss: Loss, progress: float) -> dict[str, float]:
    """The weight of each part."""
    share = 0.0 if loss.distance is None else loss.distance.weight_at(progress)
    others = {"dice": loss.dice_weight, "entropy": loss.entropy_weight}
    return {name: (1 - share) * weight for name, weight in others.items()} | {"distance": share}


def _has_batch_dice(loss: Loss, batch_dice: bool) -> bool:
    return batch_dice if loss.batch_dice == "auto" else loss.batch_dice


def _shares(
    labels_bxyz: torch.Tensor, batch_bxyz: torch.Tensor, *, ignore: bool
) -> Mapping[str, float | torch.Tensor]:
    """The weights of means over some samples in those over their batch: by sample, and by voxel."""
    samples = len(labels_bxyz) / len(batch_bxyz)
    if not ignore:
        return {"dice": samples, "entropy": samples, "distance": samples}
    counted, total = (labels_bxyz != IGNORE).sum(), (batch_bxyz != IGNORE).sum()
    return {"dice": samples, "entropy": counted / total.clamp(min=1)}


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
        options = DiceOptions(loss.dice, batch_dice, loss.background, loss.dice_smooth)
        parts["dice"] = partial(dice_loss, kind=kind, options=options)
    if entropy != "none":
        parts["entropy"] = entropies[entropy]
    if loss.distance is not None:
        if outputs.ignore:
            found = "loss.distance with an ignore label"
            raise UsageError(found, expected="label maps without ignored voxels, or loss.distance: null")
        parts["distance"] = partial(distance_loss, kind=kind, power=loss.distance.power)
    return parts
