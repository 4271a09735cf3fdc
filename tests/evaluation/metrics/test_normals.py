from __future__ import annotations

import numpy as np
import pytest

from segcube.evaluation.metrics.normals import surface_normals


def test_table_equals_monais():
    utils = pytest.importorskip("monai.metrics.utils")
    assert np.array_equal(surface_normals(), utils._get_neighbour_code_to_normals_table().numpy())


def test_normals_of_a_mask_and_of_its_inverse_have_the_same_total_area():
    areas = np.linalg.norm(surface_normals(), axis=2).sum(axis=1)
    assert areas[0] == areas[255] == 0
    assert areas[1:255].min() > 0
    flat = [0b11110000, 0b11001100, 0b10101010]
    assert areas[flat].tolist() == areas[[255 - code for code in flat]].tolist() == [1, 1, 1]
