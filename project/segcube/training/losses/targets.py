"""Targets of the losses: a mask for each output of the network, from a patch of label indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn import functional

from segcube.core import UsageError
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Outputs
from segcube.training.patches import IGNORE as IGNORE
from segcube.training.patches import OUTSIDE as OUTSIDE


@dataclass(frozen=True)
class LossOutputs:
    """The outputs of a network in terms of label indices.

    labels: for each channel the indices that it shows. Of kind labels, channel 0 is the background and
    shows every voxel that no other channel does. ignore: whether voxels may be marked IGNORE.
    """

    kind: Literal["regions", "labels"]
    labels: tuple[tuple[int, ...], ...]
    ignore: bool = False


@dataclass(frozen=True)
class Target:
    """The masks of a patch, one channel for each output, and the voxels that count; None for all of them."""

    masks_bkxyz: torch.Tensor
    """bool."""
    valid_bxyz: torch.Tensor | None = None


def loss_outputs(outputs: Outputs, challenge: Challenge, *, ignore: bool = False) -> LossOutputs:
    """Express the outputs of a branch by indices into the challenge's labels, which are ordered by value.

    ignore: whether voxels may be marked IGNORE. Raises UsageError for an output that is neither a label nor a
    region of the challenge.
    """
    ordered = sorted(challenge.labels, key=lambda name: challenge.labels[name])
    single = {name: (name,) for name in ordered}
    labels_of: dict[str, tuple[str, ...]] = {**single, **challenge.regions}
    if outputs.kind == "labels":
        labels_of = {**challenge.regions, **single}
    if unknown := [name for name in outputs.names if name not in labels_of]:
        raise UsageError(f"unknown output {', '.join(unknown)}", expected="one of " + ", ".join(labels_of))
    indices = [tuple(ordered.index(label) for label in labels_of[name]) for name in outputs.names]
    return LossOutputs(outputs.kind, tuple(indices), ignore)


def make_target(labels_bxyz: torch.Tensor, outputs: LossOutputs) -> Target:
    """Make the masks of a patch's label indices (B, X, Y, Z) uint8, on their device."""
    masks = [_mask_of(labels_bxyz, indices) for indices in outputs.labels]
    if outputs.kind == "labels":
        masks[0] = ~torch.stack(masks[1:]).any(dim=0)
    valid_bxyz = labels_bxyz != IGNORE if outputs.ignore else None
    masks_bkxyz = torch.stack(masks, dim=1)
    if valid_bxyz is not None:
        masks_bkxyz = masks_bkxyz & valid_bxyz[:, None]
    return Target(masks_bkxyz, valid_bxyz)


def shrink_labels(
    labels_bxyz: torch.Tensor, size: Sequence[int], rule: Literal["nearest", "nearest-exact"]
) -> torch.Tensor:
    """Resample label indices to the grid of a lower resolution; uint8.

    nearest-exact takes the voxel at the centre (nnU-Net), nearest the first one (BraTS-UGRIP).
    """
    if labels_bxyz.shape[1:] == torch.Size(size):
        return labels_bxyz
    return functional.interpolate(labels_bxyz[:, None], list(size), mode=rule)[:, 0]


def _mask_of(labels_bxyz: torch.Tensor, indices: tuple[int, ...]) -> torch.Tensor:
    mask_bxyz = labels_bxyz == indices[0]
    for index in indices[1:]:
        mask_bxyz = mask_bxyz | (labels_bxyz == index)
    return mask_bxyz
