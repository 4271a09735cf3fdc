import numpy as np
import pytest

from segcube.core import Grid
from segcube.formats.nifti import grid_difference

AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])
EXPECTED = Grid((8, 6, 4), AFFINE)


def moved(*millimetres: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[:3, 3] += millimetres
    return affine


def test_the_same_grid_has_no_difference():
    assert grid_difference(Grid((8, 6, 4), moved(1e-4, 0, 0)), EXPECTED, "t1c.nii") is None


@pytest.mark.parametrize(
    ("grid", "kind", "found", "hint"),
    [
        (Grid((4, 6, 8), AFFINE), "shape", "shape 4 x 6 x 8", "transpose"),
        (Grid((4, 3, 2), np.diag([-2.0, -2.0, 4.0, 1.0])), "shape", "shape 4 x 3 x 2", "resample"),
        (Grid((8, 6, 3), AFFINE), "shape", "shape 8 x 6 x 3", "on the grid of the case"),
        (Grid((8, 6, 4), np.diag([1.0, -1.0, 2.0, 1.0])), "orientation", "axes run to RPS", "reorientation"),
        (Grid((8, 6, 4), moved(0, 40, 0)), "affine", "its origin (0, 40, 0) is 40 mm off", "copy the affine"),
        (Grid((8, 6, 4), np.diag([-1.1, -1.0, 2.0, 1.0])), "affine", "up to 0.8 mm off", "copy the affine"),
    ],
)
def test_differences_are_described_with_a_fix(grid, kind, found, hint):
    difference = grid_difference(grid, EXPECTED, "t1c.nii")
    assert difference is not None
    assert difference.kind == kind
    assert found in difference.found
    assert "t1c.nii" in difference.expected
    assert hint in difference.hint
