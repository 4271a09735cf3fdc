"""Write a stage's probabilities, for tuning and for looking at."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from segcube.predict.merge import Merged
from segcube.preprocess import Box, mask_box, to_host
from segcube.types import Grid
from segcube.volumes import write_whole


def save_probabilities(merged: Merged, grid: Grid, file: Path) -> None:
    """Write the probabilities inside the smallest box that holds all that is not certain background.

    An .npz of probabilities_kxyz (float16), names, kind, box_start, box_stop, shape and affine, all on the
    native grid. A stage that found nothing gives an empty box. Raises EnvironmentFault when it cannot.
    """
    background = 1 if merged.kind == "labels" else 0
    probabilities_kxyz = np.zeros((len(merged.names), *merged.shape), dtype=np.float16)
    for place, slab_kxyz in merged.slabs():
        probabilities_kxyz[(slice(None), *place.slices)] = to_host(slab_kxyz)
    found_xyz = (probabilities_kxyz[background:] > 0).any(axis=0)
    box = mask_box(found_xyz) or Box((0, 0, 0), (0, 0, 0))
    content = BytesIO()
    np.savez(
        content,
        probabilities_kxyz=box.apply(probabilities_kxyz),
        names=np.array(merged.names),
        kind=np.array(merged.kind),
        box_start=np.array(box.start),
        box_stop=np.array(box.stop),
        shape=np.array(grid.shape),
        affine=grid.affine,
    )
    write_whole(file, content.getvalue())
