import numpy as np
import pytest

from segcube.training.plan.grid import plan_grid, target_spacing
from segcube.training.recipes import Preprocessing

from .make import case_of, fingerprint_of


def spacing_of(coarse: list[float], voxels: int = 10) -> list[float]:
    """The target of cases with these spacings along the first axis, and 2 mm along the others."""
    return target_spacing(
        np.array([[spacing, 2.0, 2.0] for spacing in coarse]), np.array([[voxels, 100, 100]] * len(coarse))
    ).tolist()


@pytest.mark.parametrize(
    ("coarse", "expected"),
    [
        # Not more than three times 2 mm: the median
        ([5, 5, 6, 6, 6], 6),
        # The 10th percentile of five is at 0.4 between the two lowest
        ([5, 6, 10, 10, 10], 5.4),
        # No finer than the other axes
        ([1, 1, 10, 10, 10], 2 + 1e-5),
    ],
)
def test_the_target_of_a_coarse_axis(coarse, expected):
    assert spacing_of(coarse) == pytest.approx([expected, 2, 2], rel=1e-12)


def test_a_coarse_axis_with_many_voxels_keeps_the_median():
    assert spacing_of([5, 6, 10, 10, 10], voxels=34) == [10, 2, 2]


def test_the_coarsest_axis_comes_first(glioma):
    fingerprint = fingerprint_of(glioma, spacing=(1, 1.5, 0.8))
    grid = plan_grid(fingerprint, Preprocessing())
    assert (grid.axes, grid.spacing) == ("yzx", (1.5, 0.8, 1.0))
    assert grid.median_shape == (171, 140, 137)


def test_equal_axes_are_in_nnunets_order(glioma):
    assert plan_grid(fingerprint_of(glioma), Preprocessing()).axes == "zyx"


def test_a_spacing_replaces_the_target_and_sets_the_axes(glioma):
    grid = plan_grid(fingerprint_of(glioma), Preprocessing(spacing=(2, 1, 1)))
    assert (grid.axes, grid.spacing, grid.median_shape) == ("xzy", (2, 1, 1), (68, 140, 171))


def test_brats_ugrips_grid_is_in_file_order_at_1_mm(glioma):
    fingerprint = fingerprint_of(glioma, spacing=(1, 1, 2), cropped_shape=(137, 171, 70))
    grid = plan_grid(fingerprint, Preprocessing(kind="brats-ugrip"))
    assert (grid.axes, grid.spacing, grid.median_shape) == ("xyz", (1, 1, 1), (137, 171, 140))


def test_cases_of_one_orientation_keep_it(glioma):
    assert plan_grid(fingerprint_of(glioma), Preprocessing()).orientation == "LPS"


def test_cases_of_several_orientations_are_turned_to_ras(glioma):
    fingerprint = fingerprint_of(glioma)
    # Its first axis runs downwards, its second to the right
    turned = case_of(99, orientation="IRA", cropped_shape=(140, 137, 171), spacing=(3, 1, 1))
    mixed = fingerprint.model_copy(update={"cases": (turned,)})
    alone = plan_grid(mixed, Preprocessing())
    both = plan_grid(mixed.model_copy(update={"cases": (turned, case_of(1))}), Preprocessing())
    assert (alone.orientation, alone.axes, alone.median_shape) == ("IRA", "xzy", (140, 171, 137))
    # Upwards, at the median spacing of 2 mm, one has 210 voxels and the other 70
    assert (both.orientation, both.axes, both.median_shape) == ("RAS", "zyx", (140, 171, 137))
