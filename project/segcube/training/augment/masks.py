"""The mask of a cascade's previous stage in a batch: morphology, lost components, dilation, channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from segcube.training.augment.draws import happens
from segcube.training.keys import StepKey
from segcube.training.patches import PatchDraw
from segcube.training.recipes import Cascade, ComponentRemoval, MaskMorphology
from segcube.transforms import find_components

OPERATORS = ("dilate", "erode", "close", "open")


def change_masks(
    masks_bxyz: torch.Tensor, cascade: Cascade, labels: int, draws: Sequence[PatchDraw], key: StepKey
) -> None:
    """Change the masks of a batch, in place, as the recipe draws it for each sample.

    masks_bxyz: uint8, 0 to `labels`. Waits for the device where a component is removed.
    """
    for mask_xyz, draw in zip(masks_bxyz, draws, strict=True):
        if cascade.morphology is not None:
            change_shapes(mask_xyz, cascade.morphology, labels, key.generator("mask morphology", draw.sample))
        if cascade.removal is not None:
            remove_components(mask_xyz, cascade.removal, labels, key.generator("mask removal", draw.sample))


def change_shapes(
    mask_xyz: torch.Tensor, morphology: MaskMorphology, labels: int, rng: np.random.Generator
) -> None:
    """Dilate, erode, close or open labels of a mask, in place, as drawn."""
    if not happens(rng, morphology.p):
        return
    for label in _drawn_labels(labels, morphology.p_label, rng):
        operator = OPERATORS[rng.integers(len(OPERATORS))]
        apply_operator(mask_xyz, label, operator, int(rng.integers(*morphology.radius, endpoint=True)))


def apply_operator(mask_xyz: torch.Tensor, label: int, operator: str, radius: int) -> None:
    """Apply a binary operator by a ball to one label of a mask, in place; other labels lose what it gains.

    radius: in voxels. Beyond the patch lies no label for a dilation, and the label for an erosion.
    """
    before_xyz = mask_xyz == label
    after_xyz = before_xyz
    steps = {"dilate": "d", "erode": "e", "close": "de", "open": "ed"}[operator]
    for step in steps:
        after_xyz = _dilate(after_xyz, radius) if step == "d" else ~_dilate(~after_xyz, radius)
    mask_xyz.masked_fill_(before_xyz & ~after_xyz, 0).masked_fill_(after_xyz, label)


def remove_components(
    mask_xyz: torch.Tensor, removal: ComponentRemoval, labels: int, rng: np.random.Generator
) -> None:
    """Remove a random component of labels of a mask, in place, as drawn; an absent label stays absent."""
    if not happens(rng, removal.p):
        return
    for label in _drawn_labels(labels, removal.p_label, rng):
        found_xyz = (mask_xyz == label).cpu().numpy()
        components = find_components(found_xyz, 26)
        small = np.flatnonzero(components.sizes[1:] < removal.largest_share * found_xyz.size) + 1
        if len(small):
            chosen = np.arange(len(components.sizes)) == rng.choice(small)
            x, y, z = found_xyz.shape
            removed_xyz = torch.from_numpy(components.mask(chosen, (x, y, z)))
            mask_xyz.masked_fill_(removed_xyz.to(mask_xyz.device), 0)


def dilate_masks(masks_bxyz: torch.Tensor, radius: int) -> torch.Tensor:
    """Dilate masks by a ball of so many voxels: bool of the same shape."""
    return _dilate(masks_bxyz > 0, radius)


def one_hot(masks_bxyz: torch.Tensor, labels: int) -> torch.Tensor:
    """Return a channel of 0 and 1 for each label of masks but the background: (B, K, X, Y, Z) float32."""
    values = torch.arange(1, labels + 1, dtype=masks_bxyz.dtype, device=masks_bxyz.device)
    return (masks_bxyz[:, None] == values[:, None, None, None]).float()


def _drawn_labels(labels: int, p: float, rng: np.random.Generator) -> list[int]:
    """Labels from 1 in random order, each with probability p."""
    return [int(label) for label in rng.permutation(labels) + 1 if happens(rng, p)]


def _dilate(found_xyz: torch.Tensor, radius: int) -> torch.Tensor:
    """Dilate along the last three axes by the ball dx^2 + dy^2 + dz^2 <= radius^2.

    The squared distance to the nearest voxel is the least sum of squares along each axis: three passes.
    """
    if radius == 0:
        return found_xyz
    far = radius**2 + 1
    squares = torch.where(found_xyz, 0, far).to(torch.int16)
    for axis in (-3, -2, -1):
        nearest = squares.clone()
        length = squares.shape[axis]
        for offset in range(1, min(radius, length - 1) + 1):
            near = squares.narrow(axis, 0, length - offset) + offset**2
            torch.minimum(
                nearest.narrow(axis, offset, length - offset),
                near,
                out=nearest.narrow(axis, offset, length - offset),
            )
            near = squares.narrow(axis, offset, length - offset) + offset**2
            torch.minimum(
                nearest.narrow(axis, 0, length - offset), near, out=nearest.narrow(axis, 0, length - offset)
            )
        squares = nearest
    return squares <= radius**2
