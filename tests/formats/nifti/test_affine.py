from __future__ import annotations

import numpy as np
import pytest

from segcube.core import Grid
from segcube.formats.nifti.affine import geometry_notices
from segcube.spec.challenges import load_challenge

SRI, MNI, OTHER = (240, 240, 155), (182, 218, 182), (200, 200, 150)


def grid(shape, *diagonal: float) -> Grid:
    return Grid(shape, np.diag([*diagonal, 1.0]))


GRIDS = {
    (): [
        ("brats2023-gli", grid(SRI, -1, -1, 1.0005)),
        ("brats2025-gli", grid(MNI, -1, 1, 1)),
        ("mbas2024", grid((640, 640, 44), -0.625, 0.625, -2.5)),
        ("brats2024-men-rt", grid(OTHER, 1, 1, 1)),
    ],
    ("GEOMETRY",): [
        ("brats2023-gli", grid(SRI, -1, -1, 2)),
        ("brats2023-gli", grid(OTHER, -1, -1, 1)),
    ],
    ("FLIPPED",): [
        ("brats2023-gli", grid(SRI, 1, -1, 1)),
        ("brats2024-goat", grid(OTHER, 1, -1, 1)),
        ("brats2025-gli", grid(MNI, -1, -1, 1)),
    ],
    ("GEOMETRY", "FLIPPED"): [("brats2023-gli", grid(OTHER, 1, 1, 1))],
}


@pytest.mark.parametrize("codes", GRIDS)
def test_unusual_grids_give_notices(codes):
    for key, found in GRIDS[codes]:
        notices = geometry_notices(found, load_challenge(key))
        assert tuple(str(notice.code) for notice in notices) == codes, key


def test_notices_name_the_grid_found_and_the_usual_one():
    first, second = geometry_notices(grid(OTHER, 1, 1, 2), load_challenge("brats2023-gli"))
    assert "200 x 200 x 150 voxels of 1 x 1 x 2 mm" in first.message
    assert "240 x 240 x 155" in first.message
    assert "RAS" in second.message
    assert "LPS" in second.message
