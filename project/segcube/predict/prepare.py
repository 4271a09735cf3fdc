"""A branch's way of preprocessing: orient, crop, normalise, resample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.preprocess import (
    Box,
    Lattice,
    Placement,
    Resampler,
    int16_abs,
    nonzero_box,
    normalize,
    plan_orientation,
    plan_resampling,
    resample_labels,
)
from segcube.submission import Branch
from segcube.types import Grid


@dataclass(frozen=True)
class Prepared:
    """An image as a branch's networks were trained on it, and where it lies in the native grid."""

    image_cxyz: np.ndarray
    """float32."""
    placement: Placement

    def touched(self, mask_xyz: np.ndarray) -> np.ndarray:
        """The voxels of the branch's grid that a native mask takes its values from, as a mask."""
        inside_xyz = self.placement.box.apply(self.placement.orientation.apply(mask_xyz))
        return self.placement.output.dependency(inside_xyz)


def prepare(
    image_cxyz: np.ndarray, grid: Grid, branch: Branch, earlier_kxyz: np.ndarray | None = None
) -> Prepared:
    """Bring a branch's channels from the native grid to the branch's own.

    image_cxyz: on `grid`. earlier_kxyz: masks on `grid` that join the image as channels of 0 and 1.
    Raises CaseError for intensities that a scheme cannot take.
    """
    orientation = plan_orientation(grid.affine, branch.orientation, branch.axes)
    image_cxyz = orientation.apply(image_cxyz)
    if branch.intensity.cast == "int16_abs":
        image_cxyz = int16_abs(image_cxyz)
    whole = Box((0, 0, 0), image_cxyz.shape[1:])
    box = nonzero_box(image_cxyz) if branch.crop == "nonzero" else whole
    schemes = [branch.normalize_of(index) for index in range(len(branch.channels))]
    image_cxyz = normalize(box.apply(image_cxyz), schemes)
    native = Lattice(box.shape, orientation.reorder(grid.spacing))
    own = native if branch.spacing is None else native.at(branch.spacing)
    image_cxyz = _between(native, own, branch, branch.resampling.image).apply(image_cxyz)
    if earlier_kxyz is not None:
        masks_kxyz = box.apply(orientation.apply(earlier_kxyz))
        to_own = _between(native, own, branch, 1)
        channels = [resample_labels(mask_xyz.astype(np.uint8), to_own) for mask_xyz in masks_kxyz]
        image_cxyz = np.concatenate([image_cxyz, np.stack(channels).astype(np.float32)])
    output = _between(own, native, branch, branch.resampling.output)
    placement = Placement(grid.shape, orientation, box, output)
    return Prepared(np.ascontiguousarray(image_cxyz, dtype=np.float32), placement)


def _between(source: Lattice, target: Lattice, branch: Branch, order: int) -> Resampler:
    resampling = branch.resampling
    return plan_resampling(source, target, order, resampling.order_z, resampling.separate_z)
