"""The patches of a plan: their size, the margin that augmentation needs, their axes and their channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segcube.core import Shape, Vector
from segcube.spec.submission import Branch
from segcube.training.recipes import Augmentation, Cascade, Rotation, Sampling, Spatial

OUTSIDE = 254
"""Label index of voxels outside the image's nonzero mask; they count as background."""
IGNORE = 255
"""Label index of voxels that take no part in a loss."""
SLICE_ASPECT, SLICE_DEGREES = 1.5, 15.0
"""nnU-Net's 2d rotates patches of a slice whose sides differ by more than this factor by so much at most."""
ANISOTROPIC = 3.0
"""nnU-Net rotates within slices where the patch's longest axis exceeds its first by more than this."""
SMALLEST_FACTOR = 0.85
"""By which nnU-Net divides the rotated patch, whatever the scaling."""


@dataclass(frozen=True)
class PatchRules:
    """How the patches of a training are drawn, cut and augmented.

    patch: voxels, in the branch's axis order. batch: patches of a step. steps: of the training. phantoms: the
    share of samples that show one. masks: labels of the previous stage's map, each a mask of its own.
    """

    branch: Branch
    patch: Shape
    batch: int
    steps: int
    sampling: Sampling
    augmentation: Augmentation
    phantoms: float = 0.0
    cascade: Cascade | None = None
    masks: int = 1


@dataclass(frozen=True)
class PatchDraw:
    """Which patch a sample shows.

    case: its number among those that patches are drawn from. centre: of the patch, in voxels of the case, 0
    at the centre of the first voxel. forced: the output whose voxel lies at the centre; None for a random
    place.
    """

    sample: int
    case: int
    centre: Vector
    forced: str | None


def is_dummy_2d(spatial: Spatial, patch: Shape) -> bool:
    """Return whether the first axis takes no part in rotation and scaling (nnU-Net's dummy 2-D)."""
    return spatial.dummy_2d == "auto" and max(patch) / patch[0] > ANISOTROPIC


def rotation_degrees(rotation: Rotation, spatial: Spatial, patch: Shape) -> float:
    """Return the largest angle about an axis."""
    if not is_dummy_2d(spatial, patch):
        return rotation.degrees
    is_long = patch[0] == 1 and max(patch[1:]) / min(patch[1:]) > SLICE_ASPECT
    return min(rotation.degrees_2d, SLICE_DEGREES) if is_long else rotation.degrees_2d


def initial_patch(spatial: Spatial, patch: Shape) -> Shape:
    """Return the size that nnU-Net cuts before it rotates; it bounds where its patches lie.

    Equals get_patch_size of nnU-Net's compute_initial_patch_size, for the largest angle about each axis
    alone, of at most 90 degrees, and with dummy 2-D the patch's own first axis.
    """
    flat = is_dummy_2d(spatial, patch)
    degrees = 0.0
    if spatial.rotation:
        degrees = rotation_degrees(spatial.rotation, spatial, patch)
    elif spatial.affine:
        degrees = spatial.affine.degrees
    sine, cosine = np.sin(np.deg2rad(min(90.0, degrees))), np.cos(np.deg2rad(min(90.0, degrees)))
    x, y, z = patch
    # Rows times batchgenerators' rotation matrices: one of the two axes grows, the other shrinks
    about_x = (x, y * cosine + z * sine, z * cosine - y * sine)
    about_y = (x * cosine - z * sine, y, z * cosine + x * sine)
    about_z = (x * cosine + y * sine, y * cosine - x * sine, z)
    largest = np.max(np.abs([patch, about_x, about_y, about_z]), axis=0)
    first, second, third = (int(size) for size in largest / SMALLEST_FACTOR)
    return (x if flat else first), second, third


def mirror_axes(spatial: Spatial, branch: Branch) -> tuple[int, ...]:
    """Return the array axes that a recipe mirrors."""
    names = spatial.mirror.axes if spatial.mirror else ()
    return tuple(sorted(branch.axes.index(name) for name in names))


def masked_channels(branch: Branch) -> tuple[int, ...]:
    """Return the channels whose normalisation leaves voxels outside a mask at 0."""
    schemes = [branch.normalize_of(index) for index in range(len(branch.channels))]
    return tuple(
        index
        for index, scheme in enumerate(schemes)
        if scheme.mask != "none" and (scheme.scheme == "zscore" or scheme.percentiles is not None)
    )
