"""Cut patches out of cases: copied where nothing moves, interpolated in one pass otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from segcube.core import Box, Shape
from segcube.training.augment.grid import PatchGrid
from segcube.training.augment.interpolate import interpolate_image, interpolate_planes
from segcube.training.augment.labels import LabelSampler
from segcube.training.cache import CaseTensors
from segcube.training.patches import OUTSIDE
from segcube.training.recipes import Spatial


@dataclass(frozen=True)
class Patch:
    """A patch: image (C, X, Y, Z) float32 and labels (X, Y, Z) uint8; a sample of a batch.

    mask_labels: how many labels the mask of the previous stage may have.
    """

    image_cxyz: torch.Tensor
    labels_xyz: torch.Tensor
    previous_xyz: torch.Tensor | None = None
    """uint8, the mask of the previous stage of a cascade; 0 beyond the case."""
    mask_labels: int = 1

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.image_cxyz.device


def cut_patch(
    case: CaseTensors, grid: PatchGrid, spatial: Spatial, field_kxyz: torch.Tensor | None, patch: Patch
) -> None:
    """Fill a patch, on its device, from the voxels of a case that it needs, and no others.

    field_kxyz: the elastic displacement, (3, X, Y, Z) in voxels. spatial.border states what lies beyond the
    case: an image of 0 with labels OUTSIDE, or the nearest voxel of both.
    """
    if patch.previous_xyz is not None and case.previous_xyz is None:
        raise ValueError("a case has no mask of the previous stage")
    if grid.draw.copies:
        _copy(case, grid, spatial, patch)
    else:
        _interpolate(case, grid, spatial, field_kxyz, patch)


def _copy(case: CaseTensors, grid: PatchGrid, spatial: Spatial, patch: Patch) -> None:
    wanted = grid.copied_box
    shared = wanted.intersection(Box((0, 0, 0), case.shape))
    mirrored = grid.draw.mirrored
    place = _mirrored_box(shared.relative_to(wanted), grid.shape, mirrored)
    if shared != wanted:
        patch.image_cxyz.zero_()
        patch.labels_xyz.fill_(OUTSIDE)
        if patch.previous_xyz is not None:
            patch.previous_xyz.zero_()
    pairs = [(case.image_cxyz, patch.image_cxyz), (case.labels_xyz[None], patch.labels_xyz[None])]
    if case.previous_xyz is not None and patch.previous_xyz is not None:
        pairs.append((case.previous_xyz[None], patch.previous_xyz[None]))
    for source_cxyz, target_cxyz in pairs:
        part_cxyz = _on_device(shared.apply(source_cxyz), patch.device)
        place.apply(target_cxyz).copy_(
            part_cxyz.flip([axis + 1 for axis in mirrored]) if mirrored else part_cxyz
        )
        if spatial.border == "nearest":
            _repeat_border(target_cxyz, place)


def _mirrored_box(box: Box, shape: Shape, mirrored: Sequence[int]) -> Box:
    """A box counted from the other end along mirrored axes."""
    sides = [
        (size - stop, size - start) if axis in mirrored else (start, stop)
        for axis, (start, stop, size) in enumerate(zip(box.start, box.stop, shape, strict=True))
    ]
    (x, a), (y, b), (z, c) = sides
    return Box((x, y, z), (a, b, c))


def _repeat_border(patch_cxyz: torch.Tensor, place: Box) -> None:
    """Fill a patch around the box that holds voxels of the case with the nearest of them."""
    for axis, (start, stop) in enumerate(zip(place.start, place.stop, strict=True), start=1):
        first, last = patch_cxyz.narrow(axis, start, 1), patch_cxyz.narrow(axis, stop - 1, 1)
        patch_cxyz.narrow(axis, 0, start).copy_(first.expand_as(patch_cxyz.narrow(axis, 0, start)))
        rest = patch_cxyz.narrow(axis, stop, patch_cxyz.shape[axis] - stop)
        rest.copy_(last.expand_as(rest))


def _interpolate(
    case: CaseTensors, grid: PatchGrid, spatial: Spatial, field_kxyz: torch.Tensor | None, patch: Patch
) -> None:
    box = grid.needed_box(case.shape)
    positions = grid.positions(box.start, patch.device, field_kxyz)
    source_cxyz = _on_device(box.apply(case.image_cxyz), patch.device)
    interpolate = interpolate_planes if grid.draw.keeps_planes else interpolate_image
    interpolate(source_cxyz, positions, spatial.border, patch.image_cxyz)
    source_xyz = _on_device(box.apply(case.labels_xyz), patch.device)
    sampler = LabelSampler(source_xyz, case.present, OUTSIDE if spatial.border == "zero" else None)
    sample = sampler.nearest if spatial.labels == "nearest" else sampler.largest_share
    patch.labels_xyz.copy_(sample(positions))
    if case.previous_xyz is not None and patch.previous_xyz is not None:
        mask_xyz = _on_device(box.apply(case.previous_xyz), patch.device)
        present = range(patch.mask_labels + 1)
        masks = LabelSampler(mask_xyz, present, 0 if spatial.border == "zero" else None)
        sample = masks.nearest if spatial.labels == "nearest" else masks.largest_share
        patch.previous_xyz.copy_(sample(positions))


def _on_device(part: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A part of a case on a device: a view if it lies there, or a copy by way of pinned memory.

    The copy does not wait for the device.
    """
    if part.device.type == device.type:
        return part
    pinned = torch.empty(part.shape, dtype=part.dtype, pin_memory=True)
    return pinned.copy_(part).to(device, non_blocking=True)
