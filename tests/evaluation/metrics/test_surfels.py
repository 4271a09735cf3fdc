from __future__ import annotations

import math

import numpy as np
import pytest

from segcube.evaluation.metrics.distances import border_of
from segcube.evaluation.metrics.surfels import SurfaceDistances, area_table, surface_normals, surface_of

MM = (1.0, 1.0, 1.0)


def test_a_flat_neighbourhood_has_the_area_of_its_face():
    # The four voxels with the lower x, those with the lower y, those with the lower z
    for code, area in ((0b11110000, 6.0), (0b11001100, 3.0), (0b10101010, 2.0)):
        assert area_table((1.0, 2.0, 3.0))[code] == area
    assert area_table(MM)[0] == area_table(MM)[255] == 0


def test_one_voxel_has_a_surfel_at_each_of_its_eight_corners():
    voxel_xyz = np.zeros((3, 3, 3), dtype=bool)
    voxel_xyz[1, 1, 1] = True
    surface = surface_of(voxel_xyz, MM, origin=(10, 0, 0))
    assert sorted(map(tuple, surface.points.tolist())) == [
        (x, y, z) for x in (11, 12) for y in (1, 2) for z in (1, 2)
    ]
    assert surface.areas == pytest.approx([math.sqrt(3) / 8] * 8)


def test_empty_surfaces():
    voxel, nothing = surface_of(np.ones((1, 1, 1), bool), MM), surface_of(np.zeros((2, 2, 2), bool), MM)
    for pair in ((voxel, nothing), (nothing, voxel), (nothing, nothing)):
        distances = SurfaceDistances(*pair, MM)
        assert (distances.hd95(), distances.mean(), distances.nsd(1.0)) == (math.inf, math.inf, 0)
    assert border_of(np.zeros((2, 2, 2), bool)).shape == (0, 3)


def test_the_inside_of_a_block_is_no_border():
    assert len(border_of(np.ones((4, 4, 4), bool))) == 64 - 8


def test_the_table_of_normals_equals_monais():
    utils = pytest.importorskip("monai.metrics.utils")
    assert np.array_equal(surface_normals(), utils._get_neighbour_code_to_normals_table().numpy())


def test_normals_of_a_mask_and_of_its_inverse_have_the_same_total_area():
    areas = np.linalg.norm(surface_normals(), axis=2).sum(axis=1)
    assert areas[0] == areas[255] == 0
    assert areas[1:255].min() > 0
    flat = [0b11110000, 0b11001100, 0b10101010]
    assert areas[flat].tolist() == areas[[255 - code for code in flat]].tolist() == [1, 1, 1]
