"""Prepare a case for a branch: orient, crop, normalize, resample; the same for training and inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segcube.core import Array, Box, Vector, Volume, bounding_box
from segcube.spec.submission import Branch
from segcube.transforms.label_maps import resample_labels
from segcube.transforms.morphology import intensity_mask
from segcube.transforms.normalization import foreground_mask, int16_abs, normalize
from segcube.transforms.orient import plan_orientation
from segcube.transforms.placement import Placement
from segcube.transforms.resample import Lattice, plan_resampling
from segcube.transforms.stage_input import PreviousMaps, StageInput, resample_previous


def scale(
    cropped_cxyz: np.ndarray, branch: Branch, source: Lattice, target: Lattice, labelled_xyz: Array | None
) -> np.ndarray:
    """Normalise and resample: (C, *source.shape) to (C, *target.shape), in place without labelled voxels.

    labelled_xyz: voxels that count as foreground whatever their intensity. Raises CaseError for intensities
    that a scheme cannot take.
    """
    resampler = plan_resampling(source, target, branch.resampling.spline_for("image"))
    schemes = [branch.normalize_of(index) for index in range(len(branch.channels))]
    if branch.resampling.normalize == "before":
        return resampler.apply(normalize(cropped_cxyz, schemes, labelled_xyz, in_place=labelled_xyz is None))
    foreground_xyz = None
    masked = [scheme.mask == "foreground" for scheme in schemes]
    if any(masked):
        foreground_xyz = _foreground(cropped_cxyz, branch, source, target, labelled_xyz)
    resampled_cxyz = resampler.apply(cropped_cxyz.astype(np.float32))
    scaled_cxyz = normalize(resampled_cxyz, schemes, foreground_xyz=foreground_xyz)
    if foreground_xyz is not None:
        # nnU-Net v1 sets all outside to 0, where a spline leaves ripples
        scaled_cxyz[masked] = np.where(foreground_xyz, scaled_cxyz[masked], 0)
    return scaled_cxyz


def _foreground(
    cropped_cxyz: np.ndarray,
    branch: Branch,
    source: Lattice,
    target: Lattice,
    labelled_xyz: np.ndarray | None,
) -> np.ndarray:
    """The foreground on the branch's grid, resampled as labels are: (*target.shape) bool."""
    mask_xyz = foreground_mask(cropped_cxyz)
    if labelled_xyz is not None:
        mask_xyz = mask_xyz | labelled_xyz
    resampler = plan_resampling(source, target, branch.resampling.spline_for("labels"))
    return resample_labels(mask_xyz.astype(np.int16), resampler, branch.resampling.ties) > 0


@dataclass(frozen=True)
class PreparedImage:
    """An image as a branch's networks expect it, and its placement in the native grid."""

    image_cxyz: np.ndarray
    """float32."""
    placement: Placement
    gate_xyz: np.ndarray | None = None
    """On the branch's grid; outside it all is background."""

    def touched(self, mask_xyz: np.ndarray) -> np.ndarray:
        """The voxels of the branch's grid that the native voxels of a mask are restored from, as a mask."""
        inside_xyz = self.placement.box.apply(self.placement.orientation.apply(mask_xyz))
        return self.placement.output.dependency(inside_xyz)


def prepare_branch(volume: Volume, stage_input: StageInput, branch: Branch) -> PreparedImage:
    """Prepare a stage's part of a volume for one of its branches. Raises CaseError as `prepare` does."""
    indices = [volume.channels.index(name) for name in branch.channels]
    channels_xyz = [stage_input.frame.apply(volume.voxels[index]) for index in indices]
    return prepare(channels_xyz, volume.grid.affine, volume.spacing, branch, stage_input.previous)


def prepare(
    channels_xyz: Sequence[np.ndarray],
    affine: np.ndarray,
    spacing: Vector,
    branch: Branch,
    previous: PreviousMaps | None = None,
) -> PreparedImage:
    """Prepare a branch's channels: from the native grid to the branch's own.

    channels_xyz: in the branch's order. affine, spacing: of the native grid. previous: on that grid;
    its maps are oriented, cropped and resampled with the image. Raises CaseError for intensities that a
    scheme cannot take.
    """
    orientation = plan_orientation(affine, branch.orientation, branch.axes)
    shape = channels_xyz[0].shape
    turned = [orientation.apply(channel_xyz) for channel_xyz in channels_xyz]
    if branch.intensity.cast == "int16_abs":
        turned = [int16_abs(channel_xyz) for channel_xyz in turned]
    box = crop_box(turned, branch.crop)
    # The only copy is that of the box, contiguous for all steps that follow
    cropped_cxyz = np.empty((len(turned), *box.shape), dtype=np.float32)
    for index, channel_xyz in enumerate(turned):
        cropped_cxyz[index] = box.apply(channel_xyz)
    source = Lattice(box.shape, orientation.reorder(spacing))
    target = source if branch.spacing is None else source.at(branch.spacing_of(source.spacing))
    output = plan_resampling(target, source, branch.resampling.spline_for("output"))
    placement = Placement(shape, orientation, box, output)
    maps_lxyz = None if previous is None else previous.inside(orientation, box)
    labelled_xyz = None if maps_lxyz is None else maps_lxyz.any(axis=0)
    image_cxyz = scale(cropped_cxyz, branch, source, target, labelled_xyz)
    gate_xyz = None
    if previous is not None and maps_lxyz is not None:
        maps_lxyz = resample_previous(maps_lxyz, cropped_cxyz, source, target, branch.resampling)
        image_cxyz = np.concatenate([image_cxyz, *previous.channels_of(maps_lxyz)])
        gate_xyz = previous.gate_of(maps_lxyz, target.spacing)
    return PreparedImage(np.ascontiguousarray(image_cxyz, dtype=np.float32), placement, gate_xyz)


def crop_box(image_cxyz: Array | Sequence[Array], crop: Literal["none", "nonzero", "positive"]) -> Box:
    """The smallest box that holds every voxel where any channel differs from 0, or lies above 0.

    positive equals MONAI's CropForeground. An image without such a voxel, and none, give the whole volume.
    """
    x, y, z = image_cxyz[0].shape
    found = None if crop == "none" else bounding_box(intensity_mask(image_cxyz, crop))
    return found or Box((0, 0, 0), (x, y, z))
