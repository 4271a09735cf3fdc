"""A branch's way of preprocessing: orient, crop, normalise, resample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcube.predict.earlier import Earlier, View, resample_earlier
from segcube.predict.scale import scale
from segcube.preprocess import (
    Box,
    Lattice,
    Placement,
    int16_abs,
    nonzero_box,
    plan_orientation,
    plan_resampling,
    positive_box,
)
from segcube.submission import Branch
from segcube.types import Vector, Volume


@dataclass(frozen=True)
class Prepared:
    """An image as a branch's networks were trained on it, and where it lies in the native grid."""

    image_cxyz: np.ndarray
    """float32."""
    placement: Placement
    gate_xyz: np.ndarray | None = None
    """On the branch's grid; outside it the branch finds background."""

    def touched(self, mask_xyz: np.ndarray) -> np.ndarray:
        """The voxels of the branch's grid that a native mask takes its values from, as a mask."""
        inside_xyz = self.placement.box.apply(self.placement.orientation.apply(mask_xyz))
        return self.placement.output.dependency(inside_xyz)


def prepare_branch(volume: Volume, view: View, branch: Branch) -> Prepared:
    """Prepare what a stage sees of a volume for one of its branches. Raises CaseError as `prepare` does."""
    indices = [volume.channels.index(name) for name in branch.channels]
    channels_xyz = [view.frame.apply(volume.voxels[index]) for index in indices]
    return prepare(channels_xyz, volume.grid.affine, volume.spacing, branch, view.earlier)


def prepare(
    channels_xyz: Sequence[np.ndarray],
    affine: np.ndarray,
    spacing: Vector,
    branch: Branch,
    earlier: Earlier | None = None,
) -> Prepared:
    """Bring a branch's channels from the native grid to the branch's own.

    channels_xyz: in the branch's order. affine, spacing: of the native grid. earlier: on that grid; what it
    holds goes the image's way. Raises CaseError for intensities that a scheme cannot take.
    """
    orientation = plan_orientation(affine, branch.orientation, branch.axes)
    shape = channels_xyz[0].shape
    turned = [orientation.apply(channel_xyz) for channel_xyz in channels_xyz]
    if branch.intensity.cast == "int16_abs":
        turned = [int16_abs(channel_xyz) for channel_xyz in turned]
    box = _box(turned, branch)
    # The first copy is of the box alone, in the order in which all that follows goes through it
    cropped_cxyz = np.empty((len(turned), *box.shape), dtype=np.float32)
    for index, channel_xyz in enumerate(turned):
        cropped_cxyz[index] = box.apply(channel_xyz)
    native = Lattice(box.shape, orientation.reorder(spacing))
    own = native if branch.spacing is None else native.at(branch.spacing)
    way = branch.resampling.of("output")
    output = plan_resampling(own, native, way.order, way.order_z, way.separate_z)
    placement = Placement(shape, orientation, box, output)
    maps_lxyz = None if earlier is None else earlier.inside(orientation, box)
    labelled_xyz = None if maps_lxyz is None else maps_lxyz.any(axis=0)
    image_cxyz = scale(cropped_cxyz, branch, native, own, labelled_xyz)
    gate_xyz = None
    if earlier is not None and maps_lxyz is not None:
        maps_lxyz = resample_earlier(maps_lxyz, cropped_cxyz, native, own, branch.resampling)
        image_cxyz = np.concatenate([image_cxyz, *earlier.channels_of(maps_lxyz)])
        gate_xyz = earlier.gate_of(maps_lxyz, own.spacing)
    return Prepared(np.ascontiguousarray(image_cxyz, dtype=np.float32), placement, gate_xyz)


def _box(image_cxyz: Sequence[np.ndarray], branch: Branch) -> Box:
    match branch.crop:
        case "nonzero":
            return nonzero_box(image_cxyz)
        case "positive":
            return positive_box(image_cxyz)
        case "none":
            return Box((0, 0, 0), image_cxyz[0].shape)
