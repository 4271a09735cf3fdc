"""What a stage receives of a case and of a previous stage: a box, a gate, one-hot channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.core import Box, Notice, Shape, Vector
from segcube.spec.submission import DilationRadius, Resampling
from segcube.transforms.label_maps import resample_labels
from segcube.transforms.morphology import dilate
from segcube.transforms.normalization import foreground_mask
from segcube.transforms.orient import Orientation
from segcube.transforms.resample import Lattice, plan_resampling

OUTSIDE = -1
"""nnU-Net's value for background outside the foreground; it is resampled like a label."""


@dataclass(frozen=True)
class PreviousMaps:
    """A previous stage's result as label maps (0: background), and their use as channels or as a gate."""

    maps_lxyz: np.ndarray
    """int16, on the native grid."""
    channels: tuple[tuple[int, int], ...] = ()
    """(map, value) of each channel of 0 and 1 that is appended to the image, in order."""
    gate: DilationRadius | None = None
    """How far the first map's labels are dilated; all outside is background."""

    def inside(self, orientation: Orientation, box: Box) -> np.ndarray:
        """The maps oriented and cropped like a branch's image: (L, X, Y, Z)."""
        return box.apply(orientation.apply(self.maps_lxyz))

    def channels_of(self, maps_lxyz: np.ndarray) -> list[np.ndarray]:
        """The channels of maps on any grid, each (1, X, Y, Z) float32."""
        return [(maps_lxyz[index] == value)[None].astype(np.float32) for index, value in self.channels]

    def gate_of(self, maps_lxyz: np.ndarray, spacing: Vector) -> np.ndarray | None:
        """The gate of maps on a grid of this spacing, (X, Y, Z) bool; None without one."""
        return None if self.gate is None else dilate(maps_lxyz[0] > 0, in_voxels(self.gate, spacing))


@dataclass(frozen=True)
class StageInput:
    """The part of a case that a stage predicts, and what a previous stage adds to it."""

    frame: Box
    """The native box that is predicted."""
    gate_xyz: np.ndarray | None = None
    """On the native grid; outside it all is background."""
    previous: PreviousMaps | None = None
    """Channels or a gate of the previous stage, on each branch's own grid."""
    empty: bool = False
    """The previous stage found nothing: the result is background."""
    notices: tuple[Notice, ...] = ()


def whole_case(shape: Shape) -> StageInput:
    """The input of a stage that follows no other."""
    return StageInput(Box((0, 0, 0), shape))


def resample_previous(
    maps_lxyz: np.ndarray, image_cxyz: np.ndarray, source: Lattice, target: Lattice, resampling: Resampling
) -> np.ndarray:
    """Resample label maps to a branch's grid: (L, *source.shape) to (L, *target.shape).

    image_cxyz: before it is normalised; background outside its foreground becomes OUTSIDE.
    """
    resampler = plan_resampling(source, target, resampling.spline_for("labels"))
    outside_xyz = ~foreground_mask(image_cxyz)
    marked = [np.where(outside_xyz & (map_xyz == 0), np.int16(OUTSIDE), map_xyz) for map_xyz in maps_lxyz]
    return np.stack([resample_labels(map_xyz, resampler, resampling.ties) for map_xyz in marked])


def in_voxels(length: DilationRadius, spacing: Vector) -> Vector:
    """A length along each axis of a grid, in voxels."""
    if length.unit == "voxels":
        return length.radius, length.radius, length.radius
    x, y, z = (length.radius / edge for edge in spacing)
    return x, y, z
