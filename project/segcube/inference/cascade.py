"""Images prepared before their stage begins, while another case is on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segcube.core import Box, Code, Grid, Notice, Vector, Volume, mask_box
from segcube.inference.merge import StageOutput
from segcube.spec.submission import Follows, Paint, Stage
from segcube.transforms import (
    PreparedImage,
    PreviousMaps,
    StageInput,
    dilate,
    in_voxels,
    label_indices,
    largest_component,
    prepare_branch,
    region_masks,
    whole_case,
)

CONNECTIVITY = 26


@dataclass(frozen=True)
class StageResult:
    """An earlier stage's decision on the native grid: a mask a name (the background has none)."""

    names: tuple[str, ...]
    masks_kxyz: np.ndarray
    kind: Literal["regions", "labels"] = "labels"
    """The masks of labels exclude each other."""

    def chosen(self, names: tuple[str, ...]) -> np.ndarray:
        """The masks of some names, (K, X, Y, Z)."""
        return self.masks_kxyz[[self.names.index(name) for name in names]]

    def painted(self, order: Sequence[Paint]) -> StageResult:
        """Labels of these regions, later ones over earlier ones."""
        names = tuple(dict.fromkeys(paint.label for paint in order))
        values_xyz = np.zeros(self.masks_kxyz.shape[1:], dtype=np.int16)
        for paint in order:
            values_xyz[self.masks_kxyz[self.names.index(paint.region)]] = names.index(paint.label) + 1
        return StageResult(names, np.stack([values_xyz == index + 1 for index in range(len(names))]))


def decide_stage(merged: StageOutput) -> StageResult:
    """Decide a stage: its labels by the highest probability, or its regions above one half."""
    if merged.kind == "regions":
        return StageResult(merged.names, region_masks(merged, {}), "regions")
    indices_xyz = label_indices(merged)
    names = merged.names[1:]
    return StageResult(names, np.stack([indices_xyz == index + 1 for index in range(len(names))]))


def stage_input_of(follows: Follows, handed: StageResult, grid: Grid) -> StageInput:
    """The view of a stage that follows another; an empty earlier mask gives an empty view and a notice."""
    handed = handed.painted(follows.paint) if follows.paint else handed
    masks_kxyz = handed.chosen(follows.taken(handed.names))
    if follows.keep == "largest_component":
        masks_kxyz = masks_kxyz & largest_component(_any(masks_kxyz), CONNECTIVITY)
    whole = Box((0, 0, 0), grid.shape)
    radius = in_voxels(follows.dilate, grid.spacing)
    if follows.as_ == "onehot_channels":
        return StageInput(whole, previous=_channels(masks_kxyz, radius, handed.kind))
    mask_xyz = _any(masks_kxyz)
    box = mask_box(mask_xyz, radius)
    if box is None:
        told = Notice(Code.EMPTY_GATE, f"stage {follows.stage} found nothing; the map is background")
        return StageInput(whole, empty=True, notices=(told,))
    if follows.as_ == "crop":
        return StageInput(box)
    if follows.grid == "branch":
        return StageInput(whole, previous=PreviousMaps(mask_xyz[None].astype(np.int16), gate=follows.dilate))
    return StageInput(whole, gate_xyz=dilate(mask_xyz, radius))


def _channels(masks_kxyz: np.ndarray, radius: Vector, kind: Literal["regions", "labels"]) -> PreviousMaps:
    """Masks as label maps: one map where they exclude each other, else a map each."""
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


Prefetched = dict[str, list[PreparedImage]]
"""By stage, the images of its branches in their order; whoever uses one takes it out, so that it goes."""


def prefetch_images(volume: Volume, stages: Sequence[Stage]) -> Prefetched:
    """Prepare every branch of the stages that follow none; without another stage, let the voxels go.

    Raises CaseError as `prepare` does.
    """
    stage_input = whole_case(volume.grid.shape)
    first = [stage for stage in stages if stage.follows is None]
    prepared = {
        stage.name: [prepare_branch(volume, stage_input, branch) for branch in stage.branches]
        for stage in first
    }
    if len(first) == len(stages):
        volume.release_voxels()
    return prepared
