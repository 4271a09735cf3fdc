"""What a stage takes from an earlier one: a gate, one-hot channels, or a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segcube.errors import Code
from segcube.postprocess import dilate, label_indices, largest_component, region_masks
from segcube.predict.earlier import Earlier, View, in_voxels
from segcube.predict.merge import Merged
from segcube.preprocess import Box, mask_box
from segcube.submission import Follows, Paint
from segcube.types import Grid, Notice, Vector

CONNECTIVITY = 26


@dataclass(frozen=True)
class Handed:
    """An earlier stage's decision on the native grid: a mask a name (the background has none)."""

    names: tuple[str, ...]
    masks_kxyz: np.ndarray
    kind: Literal["regions", "labels"] = "labels"
    """The masks of labels exclude each other."""

    def chosen(self, names: tuple[str, ...]) -> np.ndarray:
        """The masks of some names, (K, X, Y, Z)."""
        return self.masks_kxyz[[self.names.index(name) for name in names]]

    def painted(self, order: Sequence[Paint]) -> Handed:
        """Labels of these regions, later ones over earlier ones."""
        names = tuple(dict.fromkeys(paint.label for paint in order))
        values_xyz = np.zeros(self.masks_kxyz.shape[1:], dtype=np.int16)
        for paint in order:
            values_xyz[self.masks_kxyz[self.names.index(paint.region)]] = names.index(paint.label) + 1
        return Handed(names, np.stack([values_xyz == index + 1 for index in range(len(names))]))


def hand_on(merged: Merged) -> Handed:
    """Decide a stage: its labels by the highest probability, or its regions above one half."""
    if merged.kind == "regions":
        return Handed(merged.names, region_masks(merged, {}), "regions")
    indices_xyz = label_indices(merged)
    names = merged.names[1:]
    return Handed(names, np.stack([indices_xyz == index + 1 for index in range(len(names))]))


def follow(follows: Follows, handed: Handed, grid: Grid) -> View:
    """The view of a stage that follows another; an empty earlier mask gives an empty view and a notice."""
    handed = handed.painted(follows.paint) if follows.paint else handed
    masks_kxyz = handed.chosen(follows.taken(handed.names))
    if follows.keep == "largest_component":
        masks_kxyz = masks_kxyz & largest_component(_any(masks_kxyz), CONNECTIVITY)
    whole = Box((0, 0, 0), grid.shape)
    radius = in_voxels(follows.dilate, grid.spacing)
    if follows.as_ == "onehot_channels":
        return View(whole, earlier=_channels(masks_kxyz, radius, handed.kind))
    mask_xyz = _any(masks_kxyz)
    box = mask_box(mask_xyz, radius)
    if box is None:
        told = Notice(Code.EMPTY_GATE, f"stage {follows.stage} found nothing; the map is background")
        return View(whole, empty=True, notices=(told,))
    if follows.as_ == "crop":
        return View(box)
    if follows.grid == "branch":
        return View(whole, earlier=Earlier(mask_xyz[None].astype(np.int16), gate=follows.dilate))
    return View(whole, gate_xyz=dilate(mask_xyz, radius))


def _channels(masks_kxyz: np.ndarray, radius: Vector, kind: Literal["regions", "labels"]) -> Earlier:
    """Masks as label maps: one map where they exclude each other, else a map each."""
    if max(radius) > 0:
        masks_kxyz = np.stack([dilate(mask_xyz, radius) for mask_xyz in masks_kxyz])
    elif kind == "labels":
        values_xyz = np.zeros(masks_kxyz.shape[1:], dtype=np.int16)
        for index, mask_xyz in enumerate(masks_kxyz):
            values_xyz[mask_xyz] = index + 1
        return Earlier(values_xyz[None], tuple((0, index + 1) for index in range(len(masks_kxyz))))
    return Earlier(masks_kxyz.astype(np.int16), tuple((index, 1) for index in range(len(masks_kxyz))))


def _any(masks_kxyz: np.ndarray) -> np.ndarray:
    return np.logical_or.reduce(masks_kxyz, axis=0)
