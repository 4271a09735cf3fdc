"""Prepare a reference label map for a branch, on the grid of its prepared image; for training alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcube.core import Vector
from segcube.spec.submission import Branch
from segcube.transforms.label_maps import resample_labels
from segcube.transforms.morphology import fill_holes, intensity_mask
from segcube.transforms.normalization import int16_abs
from segcube.transforms.placement import Placement
from segcube.transforms.resample import Lattice, plan_resampling

OUTSIDE = -1
"""The label of background where no channel has a nonzero voxel, as in nnU-Net's crop_to_nonzero."""


def prepare_labels(
    labels_xyz: np.ndarray,
    channels_xyz: Sequence[np.ndarray],
    placement: Placement,
    spacing: Vector,
    branch: Branch,
) -> np.ndarray:
    """Orient, crop and resample labels as the image of a case: (X, Y, Z) native to the branch's grid, int16.

    labels_xyz: integers from 0, the background. channels_xyz: of the branch, on the native grid. placement:
    of the prepared image. spacing: native, in mm. Background outside the foreground becomes OUTSIDE before
    it is resampled.
    """
    turned = [placement.orientation.apply(channel_xyz) for channel_xyz in channels_xyz]
    if branch.intensity.cast == "int16_abs":
        turned = [int16_abs(channel_xyz) for channel_xyz in turned]
    inside_xyz = fill_holes(intensity_mask([placement.box.apply(one_xyz) for one_xyz in turned], "nonzero"))
    cropped_xyz = placement.box.apply(placement.orientation.apply(labels_xyz)).astype(np.int16)
    cropped_xyz[(cropped_xyz == 0) & ~inside_xyz] = OUTSIDE
    source = Lattice(placement.box.shape, placement.orientation.reorder(spacing))
    target = source if branch.spacing is None else source.at(branch.spacing_of(source.spacing))
    resampler = plan_resampling(source, target, branch.resampling.spline_for("labels"))
    return np.ascontiguousarray(resample_labels(cropped_xyz, resampler, branch.resampling.ties))
