"""Intensities to scale and voxels to the branch's grid, in the order that its networks were trained in."""

from __future__ import annotations

import numpy as np

from segcube.preprocess import Lattice, foreground_mask, normalize, plan_resampling, resample_labels
from segcube.submission import Branch
from segcube.types import Array


def scale(
    cropped_cxyz: np.ndarray, branch: Branch, native: Lattice, own: Lattice, labelled_xyz: Array | None
) -> np.ndarray:
    """Normalise and resample: (C, *native.shape) to (C, *own.shape), in place where no label needs the image.

    labelled_xyz: voxels that count as foreground, whatever they hold. Raises CaseError for intensities that a
    scheme cannot take.
    """
    way = branch.resampling.of("image")
    resampler = plan_resampling(native, own, way.order, way.order_z, way.separate_z)
    schemes = [branch.normalize_of(index) for index in range(len(branch.channels))]
    if branch.resampling.normalize == "before":
        return resampler.apply(normalize(cropped_cxyz, schemes, labelled_xyz, in_place=labelled_xyz is None))
    foreground_xyz = None
    masked = [scheme.mask == "foreground" for scheme in schemes]
    if any(masked):
        foreground_xyz = _foreground(cropped_cxyz, branch, native, own, labelled_xyz)
    resampled_cxyz = resampler.apply(cropped_cxyz.astype(np.float32))
    scaled_cxyz = normalize(resampled_cxyz, schemes, foreground_xyz=foreground_xyz)
    if foreground_xyz is not None:
        # nnU-Net v1 sets to 0 what lies outside; a spline leaves ripples there
        scaled_cxyz[masked] = np.where(foreground_xyz, scaled_cxyz[masked], 0)
    return scaled_cxyz


def _foreground(
    cropped_cxyz: np.ndarray, branch: Branch, native: Lattice, own: Lattice, labelled_xyz: np.ndarray | None
) -> np.ndarray:
    """The foreground on the branch's grid, resampled as labels are: (*own.shape) bool."""
    mask_xyz = foreground_mask(cropped_cxyz)
    if labelled_xyz is not None:
        mask_xyz = mask_xyz | labelled_xyz
    way = branch.resampling.of("labels")
    resampler = plan_resampling(native, own, way.order, way.order_z, way.separate_z)
    return resample_labels(mask_xyz.astype(np.int16), resampler, branch.resampling.ties) > 0
