from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from segcube.evaluation.metrics.distances import nearest_distances


@pytest.mark.parametrize(
    ("spacing", "density"),
    [((1.0, 1.0, 1.0), 0.1), ((0.7, 1.1, 3.0), 0.02), ((0.5, 0.5, 20.0), 0.001), ((9.0, 9.0, 0.1), 0.001)],
)
def test_near_and_far_distances_equal_scipys_transform(spacing, density):
    rng = np.random.default_rng(3)
    points_xyz, others_xyz = rng.random((19, 12, 15)) < 0.1, rng.random((19, 12, 15)) < density
    others_xyz[3, 3, 3] = True
    expected = distance_transform_edt(~others_xyz, sampling=spacing)[points_xyz]
    found = nearest_distances(np.argwhere(points_xyz), np.argwhere(others_xyz), spacing)
    assert found == pytest.approx(expected, abs=1e-12)


def test_empty_sets_of_points():
    points = np.array([[1, 2, 3]])
    assert nearest_distances(points, points[:0], (1.0, 1.0, 1.0)).tolist() == [np.inf]
    assert not len(nearest_distances(points[:0], points, (1.0, 1.0, 1.0)))


def test_a_step_is_within_a_tolerance_of_its_length():
    points, others = np.array([[1000, 7, 3]]), np.array([[999, 7, 3]])
    assert nearest_distances(points, others, (0.1, 1.0, 1.0))[0] <= 0.1
