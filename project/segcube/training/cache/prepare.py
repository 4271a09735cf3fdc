"""Prepare a labelled case for the cache: half-precision image, label indices, voxels of each class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from segcube.core import CaseError, Code, Shape, Volume
from segcube.spec.submission import DilationRadius
from segcube.training.cache.record import CacheRules, Rows
from segcube.training.patches import IGNORE, OUTSIDE
from segcube.transforms import (
    Placement,
    PreparedImage,
    PreviousMaps,
    largest_component,
    prepare,
    prepare_labels,
)

SEED = 1234
"""Of the choice of voxels, as in nnU-Net."""
STORED_VOXELS, STORED_SHARE = 10_000, 0.01
"""Voxels of a class that are stored: at least so many, if it has them, and at least this share."""
LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """A case on the branch's grid."""

    image_cxyz: NDArray[np.float16]
    labels_xyz: NDArray[np.uint8]
    voxels: NDArray[np.uint16]
    """(N, 3): those of each class one after the other, then those with a known label."""
    classes: dict[str, Rows]
    annotated: Rows | None
    placement: Placement
    previous_xyz: NDArray[np.uint8] | None = None
    """1 where the previous stage found something, or the indices of its labels; None for a single stage."""

    @property
    def shape(self) -> Shape:
        """Voxels along each axis."""
        x, y, z = self.labels_xyz.shape
        return x, y, z


def prepare_case(
    volume: Volume, labels_xyz: np.ndarray, rules: CacheRules, previous_xyz: np.ndarray | None = None
) -> PreparedCase:
    """Prepare a case by a branch's preprocessing.

    labels_xyz: native, unsigned integers. previous_xyz: native, the label map of the previous stage.
    Raises CaseError for values that are no label, and for intensities that normalisation or half precision
    cannot represent.
    """
    branch = rules.branch
    channels_xyz = [volume.voxels[volume.channels.index(name)] for name in branch.channels]
    previous = None if previous_xyz is None else _previous_maps(previous_xyz, rules)
    prepared = prepare(channels_xyz, volume.grid.affine, volume.spacing, branch, previous)
    # Channels of the previous stage follow those of the image
    count = len(channels_xyz)
    image_cxyz = _halves(prepared.image_cxyz[:count], volume)
    indices_xyz = label_indices(labels_xyz, rules)
    signed_xyz = prepare_labels(indices_xyz, channels_xyz, prepared.placement, volume.spacing, branch)
    stored_xyz = np.where(signed_xyz < 0, OUTSIDE, signed_xyz).astype(np.uint8)
    groups = [*rules.classes.values(), *([rules.annotated] if rules.annotated else [])]
    chosen = choose_voxels(stored_xyz, groups)
    ends = np.cumsum([0, *(len(voxels) for voxels in chosen)]).tolist()
    rows = list(pairwise(ends))
    return PreparedCase(
        image_cxyz,
        stored_xyz,
        np.concatenate(chosen),
        dict(zip(rules.classes, rows, strict=False)),
        rows[-1] if rules.annotated else None,
        prepared.placement,
        _mask_of(prepared, count),
    )


def _previous_maps(previous_xyz: np.ndarray, rules: CacheRules) -> PreviousMaps:
    """The map as inference passes it to the second stage; a gate is dilated after augmentation."""
    places = [previous_xyz == value for value in rules.mask_values] or [previous_xyz != 0]
    indices_xyz = np.zeros(previous_xyz.shape, dtype=np.int16)
    for index, found_xyz in enumerate(places, start=1):
        indices_xyz[found_xyz] = index
    if rules.cascade is not None and rules.cascade.keep == "largest_component":
        indices_xyz[~largest_component(indices_xyz > 0)] = 0
    if not rules.mask_values:
        return PreviousMaps(indices_xyz[None], gate=DilationRadius(radius=0))
    return PreviousMaps(indices_xyz[None], tuple((0, index + 1) for index in range(len(places))))


def _mask_of(prepared: PreparedImage, channels: int) -> NDArray[np.uint8] | None:
    """The previous stage's map on the branch's grid: the gate, or the channels that follow the image's."""
    if prepared.gate_xyz is not None:
        return prepared.gate_xyz.astype(np.uint8)
    masks_kxyz = prepared.image_cxyz[channels:]
    if not len(masks_kxyz):
        return None
    indices = np.arange(1, len(masks_kxyz) + 1, dtype=np.float32)
    return np.tensordot(indices, masks_kxyz, 1).astype(np.uint8)


def label_indices(labels_xyz: np.ndarray, rules: CacheRules) -> NDArray[np.int16]:
    """Replace label values by their indices, and the ignored value by IGNORE: a new array of that shape.

    Raises CaseError (LABEL_VALUE) for another value.
    """
    values = [rules.challenge.labels[name] for name in rules.labels]
    table = np.full(2**16, -1, dtype=np.int16)
    table[values] = np.arange(len(values))
    if rules.ignore is not None:
        table[rules.ignore] = IGNORE
    indices_xyz = table[labels_xyz]
    if indices_xyz.min(initial=0) < 0:
        unknown = np.unique(labels_xyz[indices_xyz < 0]).tolist()
        found = f"the label map has the values {', '.join(map(str, unknown[:6]))}"
        raise CaseError(Code.LABEL_VALUE, found, expected=f"the labels of {rules.challenge.key}")
    return indices_xyz


def choose_voxels(labels_xyz: np.ndarray, groups: Sequence[Sequence[int]]) -> list[NDArray[np.uint16]]:
    """Choose voxels of each group of labels: (N, 3) for each; none of a group without voxels.

    Equals nnU-Net's _sample_foreground_locations for the same order of groups and labels.
    """
    random = np.random.RandomState(SEED)
    places = {
        label: np.flatnonzero(labels_xyz == label) for label in {label for group in groups for label in group}
    }
    chosen: list[NDArray[np.uint16]] = []
    for group in groups:
        flat = np.concatenate([places[label] for label in group])
        count = max(min(STORED_VOXELS, len(flat)), math.ceil(len(flat) * STORED_SHARE))
        if count:
            flat = flat[random.choice(len(flat), count, replace=False)]
        chosen.append(np.stack(np.unravel_index(flat, labels_xyz.shape), axis=1).astype(np.uint16))
    return chosen


def _halves(image_cxyz: np.ndarray, volume: Volume) -> NDArray[np.float16]:
    for name, channel_xyz in zip(volume.channels, image_cxyz, strict=False):
        largest = float(np.abs(channel_xyz).max())
        if not largest <= LARGEST:
            file = volume.case.files.get(name)
            found = f"normalised intensities of channel {name} reach {largest:g}"
            hint = "normalise the channel, or check its file"
            raise CaseError(Code.RANGE, found, file=file, expected=f"at most {LARGEST:g}", hint=hint)
    return image_cxyz.astype(np.float16)
