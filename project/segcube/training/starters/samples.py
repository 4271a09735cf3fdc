"""Synthetic cases on a branch's grid, as training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcube.core import bounding_box
from segcube.phantoms import Phantom
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch
from segcube.transforms import Resampler, prepare

WHOLE = 255


@dataclass(frozen=True)
class Sample:
    """A prepared image (C, X, Y, Z) float16 and the fraction of each target in every voxel (K, X, Y, Z)
    uint8.

    `WHOLE` is the full voxel. Fractions keep the borders that a coarse grid would lose.
    """

    image_cxyz: np.ndarray
    target_kxyz: np.ndarray


def prepare_sample(
    phantom: Phantom, challenge: Challenge, branch: Branch, targets: Sequence[Sequence[str]]
) -> Sample:
    """Prepare a synthetic case by the preprocessing of `branch`.

    targets: the challenge's labels of each output of the branch.
    """
    channels = [challenge.channel_names.index(name) for name in branch.channels]
    prepared = prepare(
        [phantom.image_cxyz[index] for index in channels], phantom.grid.affine, phantom.grid.spacing, branch
    )
    placement = prepared.placement
    labels_xyz = placement.box.apply(placement.orientation.apply(phantom.labels_xyz))
    values = [[challenge.labels[label] for label in labels] for labels in targets]
    masks_kxyz = np.stack([np.isin(labels_xyz, value) for value in values]).astype(np.float32)
    to_branch = Resampler(placement.output.shape_out, placement.output.shape_in, order=1)
    target_kxyz = np.rint(to_branch.apply(masks_kxyz) * WHOLE).astype(np.uint8)
    return Sample(prepared.image_cxyz.astype(np.float16), target_kxyz)


def crop_near(sample: Sample, margin: tuple[int, int, int]) -> Sample:
    """Crop to the targets, without the background (first), and `margin` voxels around them."""
    box = bounding_box(sample.target_kxyz[1:].any(axis=0), margin)
    if box is None:
        return sample
    return Sample(box.apply(sample.image_cxyz).copy(), box.apply(sample.target_kxyz).copy())
