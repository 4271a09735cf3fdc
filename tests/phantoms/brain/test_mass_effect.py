from dataclasses import replace

import numpy as np
import pytest

from segcube.phantoms.brain.anatomy import Healthy
from segcube.phantoms.brain.extent import Extent, Focus
from segcube.phantoms.brain.mass_effect import displace
from segcube.phantoms.brain.plans import Plan
from segcube.phantoms.fields import Space

SPACE = Space(*(np.arange(-40.0, 41, 4),) * 3)
NONE = np.zeros(SPACE.shape)
PLACES = np.stack(np.meshgrid(*SPACE.axes, indexing="ij"))
EXTENT = Extent(SPACE, NONE + 60, NONE + 60, NONE, (Focus(np.zeros(3), 12.0, 12.0),), 12.0)


def healthy_of(depth_mm):
    none = np.zeros(NONE.size)
    return Healthy(none + depth_mm, *(none,) * 6)


def pushed(push, extent=EXTENT, depth_mm=50.0):
    return displace(PLACES, extent, Plan(push=push), healthy_of(depth_mm))


def test_a_core_pushes_by_its_share_at_its_border():
    # At x = 12 mm, the border, lies what was at 12 - 0.25 * 12
    assert pushed(0.25)[0, 13, 10, 10] == pytest.approx(9, abs=0.1)
    assert pushed(-0.25)[0, 13, 10, 10] == pytest.approx(15, abs=0.1)


def test_the_push_falls_with_the_distance_and_ends_at_the_skull():
    shift = PLACES[0] - pushed(0.25)[0]
    assert 0 < shift[18, 10, 10] < 0.5 * shift[13, 10, 10]
    np.testing.assert_array_equal(pushed(0.25, depth_mm=0.0), PLACES)


def test_nothing_moves_without_a_core():
    np.testing.assert_array_equal(pushed(0.25, replace(EXTENT, foci=())), PLACES)
