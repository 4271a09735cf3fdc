"""What a stage takes from an earlier one: a gate, one-hot channels, or a box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.errors import Code
from segcube.postprocess import dilate, label_indices, largest_component, region_masks
from segcube.predict.merge import Merged
from segcube.preprocess import Box, mask_box
from segcube.submission import Follows
from segcube.types import Grid, Notice, Shape, Vector

CONNECTIVITY = 26


@dataclass(frozen=True)
class Handed:
    """An earlier stage's decision on the native grid: a mask a name (the background has none)."""

    names: tuple[str, ...]
    masks_kxyz: np.ndarray

    def chosen(self, names: tuple[str, ...] | None) -> np.ndarray:
        """The masks of some names (all for None), (K, X, Y, Z)."""
        if names is None:
            return self.masks_kxyz
        return self.masks_kxyz[[self.names.index(name) for name in names if name in self.names]]


@dataclass(frozen=True)
class View:
    """How a stage sees a case."""

    frame: Box
    """The native box that it sees."""
    gate_xyz: np.ndarray | None = None
    earlier_kxyz: np.ndarray | None = None
    """Masks that join the image as channels."""
    empty: bool = False
    """The earlier result is empty: nothing can be found."""
    notices: tuple[Notice, ...] = ()


def hand_on(merged: Merged) -> Handed:
    """Decide a stage: its labels by the highest probability, or its regions above one half."""
    if merged.kind == "regions":
        return Handed(merged.names, region_masks(merged, {}))
    indices_xyz = label_indices(merged)
    names = merged.names[1:]
    return Handed(names, np.stack([indices_xyz == index + 1 for index in range(len(names))]))


def whole_view(shape: Shape) -> View:
    """The view of a stage that follows none."""
    return View(Box((0, 0, 0), shape))


def follow(follows: Follows, handed: Handed, grid: Grid) -> View:
    """The view of a stage that follows another; an empty earlier mask gives an empty view and a notice."""
    masks_kxyz = handed.chosen(follows.names)
    if follows.keep == "largest_component":
        kept_xyz = largest_component(_any(masks_kxyz), CONNECTIVITY)
        masks_kxyz = masks_kxyz & kept_xyz[None]
    whole = Box((0, 0, 0), grid.shape)
    radius = _in_voxels(follows, grid)
    if follows.as_ == "onehot_channels":
        if max(radius) > 0:
            masks_kxyz = np.stack([dilate(mask_xyz, radius) for mask_xyz in masks_kxyz])
        return View(whole, earlier_kxyz=masks_kxyz)
    mask_xyz = _any(masks_kxyz)
    box = mask_box(mask_xyz, radius)
    if box is None:
        told = Notice(Code.EMPTY_GATE, f"stage {follows.stage} found nothing; the map is background")
        return View(whole, empty=True, notices=(told,))
    if follows.as_ == "gate":
        return View(whole, gate_xyz=dilate(mask_xyz, radius))
    return View(box)


def _any(masks_kxyz: np.ndarray) -> np.ndarray:
    return np.logical_or.reduce(masks_kxyz, axis=0)


def _in_voxels(follows: Follows, grid: Grid) -> Vector:
    radius = follows.dilate.radius
    if follows.dilate.unit == "voxels":
        return radius, radius, radius
    x, y, z = (radius / length for length in grid.spacing)
    return x, y, z
