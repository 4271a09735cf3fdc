"""From one stage of a cascade to the next: masks are decided and become the input of the next stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segcube.core import Box, Code, Grid, Notice, Vector, bounding_box
from segcube.inference.merge import StageOutput
from segcube.spec.submission import Follows, Paint
from segcube.transforms import (
    PreviousMaps,
    StageInput,
    dilate,
    in_voxels,
    label_indices,
    largest_component,
    region_masks,
)

CONNECTIVITY = 26


@dataclass(frozen=True)
class StageResult:
    """A stage's result on the native grid: a mask a name (the background has none)."""

    names: tuple[str, ...]
    masks_kxyz: np.ndarray
    kind: Literal["regions", "labels"] = "labels"
    """The masks of labels exclude each other."""

    def chosen(self, names: tuple[str, ...]) -> np.ndarray:
        """The masks of some names, (K, X, Y, Z)."""
        return self.masks_kxyz[[self.names.index(name) for name in names]]

    def painted(self, order: Sequence[Paint]) -> StageResult:
        """Labels painted from these regions, later ones over earlier ones."""
        names = tuple(dict.fromkeys(paint.label for paint in order))
        values_xyz = np.zeros(self.masks_kxyz.shape[1:], dtype=np.int16)
        for paint in order:
            values_xyz[self.masks_kxyz[self.names.index(paint.region)]] = names.index(paint.label) + 1
        return StageResult(names, np.stack([values_xyz == index + 1 for index in range(len(names))]))


def decide_stage(output: StageOutput) -> StageResult:
    """Decide a stage: the most probable label of each voxel, or regions with a probability above 0.5."""
    if output.kind == "regions":
        return StageResult(output.names, region_masks(output, {}), "regions")
    indices_xyz = label_indices(output)
    names = output.names[1:]
    return StageResult(names, np.stack([indices_xyz == index + 1 for index in range(len(names))]))


def stage_input_of(follows: Follows, result: StageResult, grid: Grid) -> StageInput:
    """The input of a stage that follows another; an empty mask gives an empty input and a notice."""
    result = result.painted(follows.paint) if follows.paint else result
    masks_kxyz = result.chosen(follows.input_names(result.names))
    if follows.keep == "largest_component":
        masks_kxyz = masks_kxyz & largest_component(_any(masks_kxyz), CONNECTIVITY)
    whole = Box((0, 0, 0), grid.shape)
    radius = in_voxels(follows.dilate, grid.spacing)
    if follows.as_ == "onehot_channels":
        return StageInput(whole, previous=_channels(masks_kxyz, radius, result.kind))
    mask_xyz = _any(masks_kxyz)
    box = bounding_box(mask_xyz, radius)
    if box is None:
        notice = Notice(Code.EMPTY_GATE, f"stage {follows.stage} found nothing; the map is background")
        return StageInput(whole, empty=True, notices=(notice,))
    if follows.as_ == "crop":
        return StageInput(box)
    if follows.grid == "branch":
        return StageInput(whole, previous=PreviousMaps(mask_xyz[None].astype(np.int16), gate=follows.dilate))
    return StageInput(whole, gate_xyz=dilate(mask_xyz, radius))


def _channels(masks_kxyz: np.ndarray, radius: Vector, kind: Literal["regions", "labels"]) -> PreviousMaps:
    """Masks as label maps: one map where they exclude each other, else one each."""
    if max(radius) > 0:
        masks_kxyz = np.stack([dilate(mask_xyz, radius) for mask_xyz in masks_kxyz])
    elif kind == "labels":
        values_xyz = np.zeros(masks_kxyz.shape[1:], dtype=np.int16)
        for index, mask_xyz in enumerate(masks_kxyz):
            values_xyz[mask_xyz] = index + 1
        return PreviousMaps(values_xyz[None], tuple((0, index + 1) for index in range(len(masks_kxyz))))
    return PreviousMaps(masks_kxyz.astype(np.int16), tuple((index, 1) for index in range(len(masks_kxyz))))


def _any(masks_kxyz: np.ndarray) -> np.ndarray:
    return np.logical_or.reduce(masks_kxyz, axis=0)
