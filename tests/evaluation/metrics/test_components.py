from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import ndimage

from segcube.evaluation.metrics.components import dilated


@pytest.mark.parametrize("shape", [(9, 8, 16), (7, 9, 21), (6, 5, 3), (1, 4, 9)])
def test_dilation_equals_scipys_up_to_the_end_of_the_image(shape):
    neighbours = ndimage.generate_binary_structure(3, 2)
    for steps, density in product((1, 2, 3, 5), (0.002, 0.02)):
        mask_xyz = np.random.default_rng(steps).random(shape) < density
        mask_xyz[-1, -1, -1] = True
        expected_xyz = ndimage.binary_dilation(mask_xyz, neighbours, iterations=steps)
        assert (dilated(mask_xyz, steps) == expected_xyz).all()


def test_dilating_by_0_steps_or_an_empty_mask_changes_nothing():
    mask_xyz = np.zeros((4, 4, 4), dtype=bool)
    assert not dilated(mask_xyz, 3).any()
    mask_xyz[1, 1, 1] = True
    assert (dilated(mask_xyz, 0) == mask_xyz).all()
