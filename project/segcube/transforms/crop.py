"""The box of an image that a branch crops to: every voxel that is not background."""

from __future__ import annotations

from collections.abc import Sequence

from segcube.core import Array, Box, bounding_box


def nonzero_mask(image_cxyz: Array | Sequence[Array]) -> Array:
    """The voxels where any channel, of an array or a list of them, differs from 0: (X, Y, Z) bool."""
    mask_xyz = image_cxyz[0] != 0
    for channel_xyz in image_cxyz[1:]:
        mask_xyz = mask_xyz | (channel_xyz != 0)
    return mask_xyz


def positive_mask(image_cxyz: Array | Sequence[Array]) -> Array:
    """The voxels where any channel, of an array or a list of them, lies above 0: (X, Y, Z) bool."""
    mask_xyz = image_cxyz[0] > 0
    for channel_xyz in image_cxyz[1:]:
        mask_xyz = mask_xyz | (channel_xyz > 0)
    return mask_xyz


def positive_box(image_cxyz: Array | Sequence[Array]) -> Box:
    """The smallest box that holds every voxel where any channel lies above 0.

    Equals MONAI's CropForeground. An image without such a voxel gives the whole volume.
    """
    x, y, z = image_cxyz[0].shape
    return bounding_box(positive_mask(image_cxyz)) or Box((0, 0, 0), (x, y, z))


def nonzero_box(image_cxyz: Array | Sequence[Array]) -> Box:
    """The smallest box that holds every voxel where any channel differs from 0.

    An image of zeros gives the whole volume.
    """
    x, y, z = image_cxyz[0].shape
    return bounding_box(nonzero_mask(image_cxyz)) or Box((0, 0, 0), (x, y, z))
