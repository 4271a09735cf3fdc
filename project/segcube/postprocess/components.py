"""Connected components of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

from segcube.preprocess import Box, mask_box
from segcube.submission.rules import Connectivity
from segcube.types import Shape


@dataclass(frozen=True)
class Components:
    """A mask's connected components, inside a box that holds them all."""

    box: Box
    ids_xyz: np.ndarray
    """On the box: 1 to the number of components, 0 for background; the smallest unsigned type."""
    sizes: np.ndarray
    """Voxels of each id; 0 for the background."""

    def mask(self, kept: np.ndarray, shape: Shape) -> np.ndarray:
        """The mask of the components that are kept, one bool an id, in a volume of `shape`."""
        mask_xyz = np.zeros(shape, dtype=bool)
        mask_xyz[self.box.slices] = kept[self.ids_xyz] & (self.ids_xyz > 0)
        return mask_xyz


def find_components(mask_xyz: np.ndarray, connectivity: Connectivity, box: Box | None = None) -> Components:
    """Find the components of a mask; none in an empty one.

    connectivity: 6 (faces), 18 (edges too) or 26 (corners too). box: holds the mask; found where not given.
    """
    box = box or mask_box(mask_xyz) or Box((0, 0, 0), (0, 0, 0))
    if 0 in box.shape:
        return Components(box, np.zeros(box.shape, dtype=np.uint8), np.zeros(1, dtype=np.int64))
    # Without a border cc3d 4.1.1 overruns its table of ids on small boxes of scattered voxels.
    padded_xyz = np.pad(box.apply(mask_xyz), 1)
    ids_xyz = cc3d.connected_components(padded_xyz, connectivity=connectivity)
    sizes = np.bincount(ids_xyz[ids_xyz > 0], minlength=1)
    sizes[0] = 0
    return Components(box, ids_xyz[1:-1, 1:-1, 1:-1], sizes)


def largest_component(mask_xyz: np.ndarray, connectivity: Connectivity = 26) -> np.ndarray:
    """The largest component of a mask, the first of equals; an empty mask stays empty. A new mask."""
    components = find_components(mask_xyz, connectivity)
    kept = np.zeros(components.sizes.shape, dtype=bool)
    kept[components.sizes.argmax()] = True
    x, y, z = mask_xyz.shape
    return components.mask(kept, (x, y, z))
