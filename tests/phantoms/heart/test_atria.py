import numpy as np
import pytest

from segcube.phantoms.heart import Chamber, make_chest
from segcube.phantoms.streams import Streams


@pytest.fixture(scope="module")
def case(chest_grid):
    return make_chest(Streams(0, 0), chest_grid)


def test_image_and_chambers_are_on_the_grid(case, chest_grid):
    image, chambers = case
    assert image.shape == (1, *chest_grid.shape)
    assert image.dtype == np.int16
    assert image.min() >= 0
    assert set(np.unique(chambers).tolist()) == set(Chamber)


def test_blood_is_brighter_than_most_of_the_chest(case):
    image, chambers = case
    blood = image[0][(chambers == Chamber.LEFT_CAVITY) | (chambers == Chamber.RIGHT_CAVITY)].mean()
    assert blood > 1.5 * np.median(image[0])


def test_the_same_seed_makes_the_same_chest(case, chest_grid):
    image, chambers = make_chest(Streams(0, 0), chest_grid)
    np.testing.assert_array_equal(image, case[0])
    np.testing.assert_array_equal(chambers, case[1])
    other, _ = make_chest(Streams(0, 1), chest_grid)
    assert (other != image).any()
