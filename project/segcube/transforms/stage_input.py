"""An earlier stage's labels on a branch's own grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.core import Box, Notice, Shape, Vector
from segcube.spec.submission import Length, Resampling
from segcube.transforms.label_maps import resample_labels
from segcube.transforms.morphology import dilate
from segcube.transforms.normalization import foreground_mask
from segcube.transforms.orient import Orientation
from segcube.transforms.resample import Lattice, plan_resampling

OUTSIDE = -1
"""nnU-Net's mark for background outside the foreground; it competes with labels that are resampled."""


@dataclass(frozen=True)
class PreviousMaps:
    """An earlier stage's decision as label maps, 0 being background, and what is made of them."""

    maps_lxyz: np.ndarray
    """int16, on the native grid."""
    channels: tuple[tuple[int, int], ...] = ()
    """A map and its value that join the image as a channel of 0 and 1, in order."""
    gate: Length | None = None
    """How far the first map's labels are dilated; outside of that the branch finds background."""

    def inside(self, orientation: Orientation, box: Box) -> np.ndarray:
        """The maps as a branch turns and cuts its image: (L, X, Y, Z)."""
        return box.apply(orientation.apply(self.maps_lxyz))

    def channels_of(self, maps_lxyz: np.ndarray) -> list[np.ndarray]:
        """The channels that maps of any grid give, each (1, X, Y, Z) float32."""
        return [(maps_lxyz[index] == value)[None].astype(np.float32) for index, value in self.channels]

    def gate_of(self, maps_lxyz: np.ndarray, spacing: Vector) -> np.ndarray | None:
        """The gate that maps of a grid of this spacing give, (X, Y, Z) bool; None without one."""
        return None if self.gate is None else dilate(maps_lxyz[0] > 0, in_voxels(self.gate, spacing))


@dataclass(frozen=True)
class StageInput:
    """How a stage sees a case."""

    frame: Box
    """The native box that it sees."""
    gate_xyz: np.ndarray | None = None
    """Outside it all is background, on the native grid."""
    previous: PreviousMaps | None = None
    """What joins each branch on its own grid."""
    empty: bool = False
    """The earlier result is empty: nothing can be found."""
    notices: tuple[Notice, ...] = ()


def whole_case(shape: Shape) -> StageInput:
    """The view of a stage that follows none."""
    return StageInput(Box((0, 0, 0), shape))


def resample_previous(
    maps_lxyz: np.ndarray, image_cxyz: np.ndarray, native: Lattice, own: Lattice, resampling: Resampling
) -> np.ndarray:
    """Label maps on a branch's grid: (L, *native.shape) to (L, *own.shape), OUTSIDE where they say so.

    image_cxyz: before it is normalised; its zeros tell what lies outside.
    """
    way = resampling.of("labels")
    resampler = plan_resampling(native, own, way.order, way.order_z, way.separate_z)
    outside_xyz = ~foreground_mask(image_cxyz)
    marked = [np.where(outside_xyz & (map_xyz == 0), np.int16(OUTSIDE), map_xyz) for map_xyz in maps_lxyz]
    return np.stack([resample_labels(map_xyz, resampler, resampling.ties) for map_xyz in marked])


def in_voxels(length: Length, spacing: Vector) -> Vector:
    """A length along each axis of a grid, in its voxels."""
    if length.unit == "voxels":
        return length.radius, length.radius, length.radius
    x, y, z = (length.radius / edge for edge in spacing)
    return x, y, z
