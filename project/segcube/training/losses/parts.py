"""The parts of a loss at one resolution: soft Dice and the cross-entropies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

from segcube.training.losses.targets import Target


@dataclass(frozen=True)
class DiceOptions:
    """form: nnunet gives minus the Dice, monai one minus it. batch: one Dice over all samples."""

    form: Literal["nnunet", "monai"]
    batch: bool
    background: bool
    """Whether channel 0 of labels counts."""
    smooth: float = 1e-5
    """nnU-Net's and MONAI's."""


def dice_loss(
    logits_bkxyz: torch.Tensor,
    target: Target,
    kind: Literal["regions", "labels"],
    options: DiceOptions,
) -> torch.Tensor:
    """Soft Dice, the mean over channels and samples, as a scalar.

    (2 sum(p t) + s) / (sum(p) + sum(t) + s): nnU-Net's MemoryEfficientSoftDiceLoss and MONAI's DiceLoss
    agree. A class that is in neither prediction nor target counts as 1. Sums are in float32.
    """
    probability_bkxyz = logits_bkxyz.float()
    probability_bkxyz = probability_bkxyz.sigmoid() if kind == "regions" else probability_bkxyz.softmax(dim=1)
    masks_bkxyz = target.masks_bkxyz
    if kind == "labels" and not options.background:
        probability_bkxyz, masks_bkxyz = probability_bkxyz[:, 1:], masks_bkxyz[:, 1:]
    if target.valid_bxyz is not None:
        probability_bkxyz = probability_bkxyz * target.valid_bxyz[:, None]
    axes = (0, 2, 3, 4) if options.batch else (2, 3, 4)
    both = (probability_bkxyz * masks_bkxyz).sum(axes)
    each = probability_bkxyz.sum(axes) + masks_bkxyz.sum(axes)
    dice = ((2 * both + options.smooth) / (each + options.smooth)).mean()
    return -dice if options.form == "nnunet" else 1 - dice


def cross_entropy(logits_bkxyz: torch.Tensor, target: Target) -> torch.Tensor:
    """Softmax cross-entropy, the mean over the voxels that count; 0 where none does."""
    return _mean(voxel_entropy(logits_bkxyz, target)[:, None], target.valid_bxyz)


def top_k_cross_entropy(logits_bkxyz: torch.Tensor, target: Target, share: float) -> torch.Tensor:
    """The mean cross-entropy of the hardest voxels, a share of all voxels, as nnU-Net's TopKLoss."""
    entropy_bxyz = voxel_entropy(logits_bkxyz, target)
    if target.valid_bxyz is not None:
        entropy_bxyz = entropy_bxyz * target.valid_bxyz
    count = max(int(entropy_bxyz.numel() * share), 1)
    return entropy_bxyz.flatten().topk(count, sorted=False).values.mean()


def voxel_entropy(logits_bkxyz: torch.Tensor, target: Target) -> torch.Tensor:
    """Softmax cross-entropy of each voxel (B, X, Y, Z); voxels that do not count are as background."""
    classes_bxyz = target.masks_bkxyz.byte().argmax(dim=1)
    return functional.cross_entropy(logits_bkxyz.float(), classes_bxyz, reduction="none")


def binary_cross_entropy(logits_bkxyz: torch.Tensor, target: Target) -> torch.Tensor:
    """Sigmoid cross-entropy, the mean over channels and the voxels that count.

    nnU-Net takes the sum over channels where it has an ignore label, and this mean where it has none.
    """
    entropy_bkxyz = functional.binary_cross_entropy_with_logits(
        logits_bkxyz.float(), target.masks_bkxyz.float(), reduction="none"
    )
    return _mean(entropy_bkxyz, target.valid_bxyz)


def focal_loss(
    logits_bkxyz: torch.Tensor, target: Target, kind: Literal["regions", "labels"], gamma: float
) -> torch.Tensor:
    """Focal loss (Lin et al. 2017), the mean over channels and voxels that count, as MONAI's FocalLoss."""
    logits_bkxyz = logits_bkxyz.float()
    masks_bkxyz = target.masks_bkxyz.float()
    if kind == "regions":
        entropy_bkxyz = functional.binary_cross_entropy_with_logits(
            logits_bkxyz, masks_bkxyz, reduction="none"
        )
        # log of 1 - p, where p is the probability of the true value
        missed_bkxyz = functional.logsigmoid(-logits_bkxyz * (2 * masks_bkxyz - 1))
        focal_bkxyz = (gamma * missed_bkxyz).exp() * entropy_bkxyz
    else:
        log_probability_bkxyz = logits_bkxyz.log_softmax(dim=1)
        focal_bkxyz = -((1 - log_probability_bkxyz.exp()) ** gamma) * log_probability_bkxyz * masks_bkxyz
    return _mean(focal_bkxyz, target.valid_bxyz)


def distance_loss(
    logits_bkxyz: torch.Tensor, target: Target, kind: Literal["regions", "labels"], power: float
) -> torch.Tensor:
    """MONAI's HausdorffDTLoss: squared errors, weighted by distances to the surfaces of both; a scalar.

    The mean over samples and channels, without the background. Distances are computed on the CPU.
    """
    from monai.losses import HausdorffDTLoss  # MONAI takes seconds to import

    probability_bkxyz = logits_bkxyz.float()
    probability_bkxyz = probability_bkxyz.sigmoid() if kind == "regions" else probability_bkxyz.softmax(dim=1)
    masks_bkxyz = target.masks_bkxyz.float()
    if kind == "labels":
        probability_bkxyz, masks_bkxyz = probability_bkxyz[:, 1:], masks_bkxyz[:, 1:]
    return HausdorffDTLoss(alpha=power, include_background=True)(probability_bkxyz, masks_bkxyz)


def _mean(values_bkxyz: torch.Tensor, valid_bxyz: torch.Tensor | None) -> torch.Tensor:
    if valid_bxyz is None:
        return values_bkxyz.mean()
    counted = valid_bxyz.sum().clamp(min=1) * values_bkxyz.shape[1]
    return (values_bkxyz * valid_bxyz[:, None]).sum() / counted
