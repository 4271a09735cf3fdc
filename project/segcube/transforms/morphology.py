"""Masks: foreground, connected components, dilation, holes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Literal

import numpy as np

from segcube.core import Array, Box, Shape, Vector, bounding_box
from segcube.spec.submission import Connectivity

AXES_CROSSED: dict[Connectivity, int] = {6: 1, 18: 2, 26: 3}
"""Along how many axes neighbours differ at most."""


@dataclass(frozen=True)
class Components:
    """A mask's connected components, inside a box that holds them all."""

    box: Box
    ids_xyz: np.ndarray
    """On the box: 1 to the number of components, in the order of their first voxels; 0 for background."""
    sizes: np.ndarray
    """Voxels of each id; 0 for the background."""

    def mask(self, kept: np.ndarray, shape: Shape) -> np.ndarray:
        """The mask of the components with `kept` (one bool an id), in a volume of `shape`."""
        mask_xyz = np.zeros(shape, dtype=bool)
        mask_xyz[self.box.slices] = kept[self.ids_xyz] & (self.ids_xyz > 0)
        return mask_xyz


def find_components(mask_xyz: np.ndarray, connectivity: Connectivity, box: Box | None = None) -> Components:
    """Find the components of a mask; none in an empty one.

    connectivity: 6 (faces), 18 (and edges) or 26 (and corners). box: one that holds the mask; computed if not
    given.
    """
    box = box or bounding_box(mask_xyz) or Box((0, 0, 0), (0, 0, 0))
    if 0 in box.shape:
        return Components(box, np.zeros(box.shape, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    ids_xyz = _number_components(box.apply(mask_xyz), connectivity)
    sizes = np.bincount(ids_xyz[ids_xyz > 0], minlength=1)
    sizes[0] = 0
    return Components(box, ids_xyz, sizes)


def _number_components(mask_xyz: np.ndarray, connectivity: Connectivity) -> np.ndarray:
    # scipy.ndimage takes long to import: only where it is needed
    from scipy import ndimage

    neighbours = ndimage.generate_binary_structure(3, AXES_CROSSED[connectivity])
    ids_xyz = np.empty(mask_xyz.shape, dtype=np.int32)
    ndimage.label(mask_xyz, neighbours, output=ids_xyz)
    return ids_xyz


def largest_component(mask_xyz: np.ndarray, connectivity: Connectivity = 26) -> np.ndarray:
    """The largest component of a mask, the first of equals; an empty mask stays empty. A new mask."""
    components = find_components(mask_xyz, connectivity)
    kept = np.zeros(components.sizes.shape, dtype=bool)
    kept[components.sizes.argmax()] = True
    x, y, z = mask_xyz.shape
    return components.mask(kept, (x, y, z))


ROUNDING = 1e-6


def intensity_mask(image_cxyz: Array | Sequence[Array], kind: Literal["nonzero", "positive"]) -> Array:
    """The voxels where any channel, of an array or a list of them, differs from 0, or lies above 0."""
    masks = ((channel_xyz != 0) if kind == "nonzero" else (channel_xyz > 0) for channel_xyz in image_cxyz)
    return reduce(or_, masks)


def dilate(mask_xyz: np.ndarray, radius_voxels: Vector) -> np.ndarray:
    """Grow a mask by an ellipsoid: a voxel joins within `radius_voxels` of it, border included.

    radius_voxels: the half axes along x, y and z; an axis of 0 does not grow. Equal ones make the ball
    dx^2 + dy^2 + dz^2 <= r^2. An empty mask stays empty. A new mask.
    """
    grown_xyz = mask_xyz.copy()
    box = bounding_box(mask_xyz, radius_voxels)
    if box is None or max(radius_voxels) == 0:
        return grown_xyz
    from scipy import ndimage

    # Distances in radii: along an axis of radius 0 the next voxel is already too far
    steps = [1 / radius if radius > 0 else 2.0 for radius in radius_voxels]
    distance_xyz = ndimage.distance_transform_edt(~box.apply(mask_xyz), sampling=steps)
    grown_xyz[box.slices] = np.asarray(distance_xyz) <= 1 + ROUNDING
    return grown_xyz


def fill_holes(mask_xyz: np.ndarray) -> np.ndarray:
    """Fill every hole: background that no path through voxel faces joins to the volume's border.

    mask_xyz: (X, Y, Z) bool. Equals scipy.ndimage.binary_fill_holes. An empty mask stays empty.
    """
    filled = mask_xyz.copy()
    box = bounding_box(mask_xyz)
    if box is None:
        return filled
    background_ids = _number_components(~box.apply(mask_xyz), 6)
    hole = np.ones(int(background_ids.max()) + 1, dtype=bool)
    for axis in range(3):
        for face in (0, -1):
            hole[np.take(background_ids, face, axis=axis)] = False
    # Id 0 is the mask itself, never a hole
    hole[0] = True
    filled[box.slices] = hole[background_ids]
    return filled
