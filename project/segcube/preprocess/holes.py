"""Fill the holes of a mask."""

from __future__ import annotations

import cc3d
import numpy as np

from segcube.preprocess.boxes import mask_box


def fill_holes(mask_xyz: np.ndarray) -> np.ndarray:
    """Fill every hole: background that no path through voxel faces joins to the volume's border.

    mask_xyz: (X, Y, Z) bool. Equals scipy.ndimage.binary_fill_holes. An empty mask stays empty.
    """
    filled = mask_xyz.copy()
    box = mask_box(mask_xyz)
    if box is None:
        return filled
    background_ids = cc3d.connected_components(~box.apply(mask_xyz), connectivity=6)
    hole = np.ones(int(background_ids.max()) + 1, dtype=bool)
    for axis in range(3):
        for face in (0, -1):
            hole[np.take(background_ids, face, axis=axis)] = False
    # Id 0 is the mask itself: it is no hole wherever it lies.
    hole[0] = True
    filled[box.slices] = hole[background_ids]
    return filled
