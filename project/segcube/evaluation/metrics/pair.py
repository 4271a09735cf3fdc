"""A prediction with its reference, and scores of whole masks by counting voxels."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcube.core import Box, Shape, Vector, bounding_box


@dataclass(frozen=True)
class Pair:
    """A prediction and its reference, cropped to their labels and a margin.

    The margin holds all dilations, so components, dilations and distances equal those of the whole image;
    at the image's own border the crop ends, and so do dilations.
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
    box = bounding_box((found_xyz != 0) | (reference_xyz != 0), (margin, margin, margin))
    slices = (box or Box((0, 0, 0), (1, 1, 1))).slices
    return Pair(
        np.ascontiguousarray(found_xyz[slices]),
        np.ascontiguousarray(reference_xyz[slices]),
        spacing,
        (x, y, z),
    )


def volume_of(voxels: float, spacing: Vector) -> float:
    """Voxels in mm3.

    Multiplied axis by axis, as the organisers' scripts do: rounding must not raise a lesion above a threshold
    that it equals.
    """
    return voxels * spacing[0] * spacing[1] * spacing[2]


def _mask(labels_xyz: np.ndarray, values: Sequence[int]) -> np.ndarray:
    mask_xyz = np.zeros(labels_xyz.shape, dtype=bool)
    for value in values:
        mask_xyz |= labels_xyz == value
    return mask_xyz


TINY = sys.float_info.min


def dice(found_xyz: np.ndarray, reference_xyz: np.ndarray) -> float:
    """Twice the common voxels over the voxels of both: 1 for the same mask, 0 for no common voxel.

    Two empty masks give 1, one empty mask gives 0; one voxel against itself gives 1.
    """
    both = int(np.count_nonzero(found_xyz)) + int(np.count_nonzero(reference_xyz))
    if both == 0:
        return 1.0
    return 2 * int(np.count_nonzero(found_xyz & reference_xyz)) / both


def sensitivity_specificity(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, outside: int
) -> tuple[float, float]:
    """Sensitivity and specificity of a mask.

    outside: background voxels of the image that the arrays leave out. Two empty masks give 1 and 1, an empty
    prediction 0 and 1, an empty reference 0 and less than 1.

    Component numbers in place of masks give what the scripts of 2024 report: a voxel counts as often as its
    number, only voxels numbered 1 on both sides are true positives, and those numbered 2 and up count as
    background as well.
    """
    found, reference = int(found_xyz.sum(dtype=np.int64)), int(reference_xyz.sum(dtype=np.int64))
    found_ones_xyz, reference_ones_xyz = found_xyz == 1, reference_xyz == 1
    hits = int(np.count_nonzero(found_ones_xyz & reference_ones_xyz))
    rest = found_xyz.size - int(np.count_nonzero(found_ones_xyz | reference_ones_xyz)) + outside
    sensitivity = 1.0 if found == 0 == reference else hits / (hits + (reference - hits) + TINY)
    return sensitivity, rest / (rest + (found - hits) + TINY)
