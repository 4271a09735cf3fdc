"""Two label maps on one grid, cut to the part that matters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segcube.preprocess import Box, mask_box
from segcube.types import Shape, Vector


@dataclass(frozen=True)
class Pair:
    """A prediction and its reference, cropped to their labels and a margin.

    Nothing lies outside, so components, dilations and distances are those of the whole image; where the crop
    meets the image's own border it ends there, as dilations do.
    """

    found_xyz: np.ndarray
    reference_xyz: np.ndarray
    spacing: Vector
    """In mm."""
    shape: Shape
    """Of the whole image."""

    @property
    def voxel_volume(self) -> float:
        """In mm3."""
        x, y, z = self.spacing
        return x * y * z

    @property
    def outside(self) -> int:
        """Voxels of the image that the crop leaves out."""
        return math.prod(self.shape) - self.reference_xyz.size

    def masks(self, values: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The prediction's and the reference's masks of some label values."""
        return _mask(self.found_xyz, values), _mask(self.reference_xyz, values)


def cropped_pair(found_xyz: np.ndarray, reference_xyz: np.ndarray, spacing: Vector, margin: int) -> Pair:
    """Crop two label maps of one shape to their labels, grown by `margin` voxels.

    Two empty maps leave a crop of one voxel.
    """
    x, y, z = reference_xyz.shape
    box = mask_box((found_xyz != 0) | (reference_xyz != 0), (margin, margin, margin))
    slices = (box or Box((0, 0, 0), (1, 1, 1))).slices
    return Pair(
        np.ascontiguousarray(found_xyz[slices]),
        np.ascontiguousarray(reference_xyz[slices]),
        spacing,
        (x, y, z),
    )


def volume_of(voxels: float, spacing: Vector) -> float:
    """Voxels in mm3.

    Multiplied axis by axis, as the scripts do: a lesion as large as a threshold must not pass it by rounding.
    """
    return voxels * spacing[0] * spacing[1] * spacing[2]


def region_values(labels: Mapping[str, int], names: Sequence[str]) -> list[int]:
    """The label values of a region."""
    return [labels[name] for name in names]


def _mask(labels_xyz: np.ndarray, values: Sequence[int]) -> np.ndarray:
    mask_xyz = np.zeros(labels_xyz.shape, dtype=bool)
    for value in values:
        mask_xyz |= labels_xyz == value
    return mask_xyz
