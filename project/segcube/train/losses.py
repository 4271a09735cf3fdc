"""Dice + cross-entropy, against targets that are shares of a voxel."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

_SMOOTH = 1.0


def dice_and_entropy(
    logits_bkxyz: torch.Tensor, target_bkxyz: torch.Tensor, kind: Literal["regions", "labels"]
) -> torch.Tensor:
    """Soft Dice loss (mean over channels, over the whole batch) plus mean cross-entropy; a scalar.

    regions: sigmoid and binary entropy. labels: softmax, the background (first) left out of the Dice.
    """
    if kind == "regions":
        entropy = functional.binary_cross_entropy_with_logits(logits_bkxyz, target_bkxyz)
        return entropy + soft_dice_loss(torch.sigmoid(logits_bkxyz), target_bkxyz)
    entropy = -(target_bkxyz * functional.log_softmax(logits_bkxyz, 1)).sum(1).mean()
    return entropy + soft_dice_loss(torch.softmax(logits_bkxyz, 1)[:, 1:], target_bkxyz[:, 1:])


def soft_dice_loss(probability_bkxyz: torch.Tensor, target_bkxyz: torch.Tensor) -> torch.Tensor:
    """1 - mean Dice over channels, squares below so that a share of 0.3 is best met by 0.3."""
    axes = (0, 2, 3, 4)
    both = (probability_bkxyz * target_bkxyz).sum(axes)
    each = (probability_bkxyz**2).sum(axes) + (target_bkxyz**2).sum(axes)
    return 1 - ((2 * both + _SMOOTH) / (each + _SMOOTH)).mean()
