import numpy as np
import pytest

from segcube.phantoms.brain.growth import reach_radius

MIDDLE = np.array([[10, 10, 10]])
VOLUME = 250.0


@pytest.fixture
def white():
    return np.ones((21, 21, 21))


def test_a_tumour_in_uniform_tissue_is_a_ball_of_its_volume(white):
    radius = reach_radius(white, MIDDLE, 0.2, VOLUME)
    border = (3 * VOLUME / (4 * np.pi)) ** (1 / 3)
    inside = radius < border
    assert inside.sum() == pytest.approx(VOLUME, rel=0.1)
    places = np.argwhere(inside) - 10
    assert np.sqrt((places**2).sum(axis=1)).max() < 1.25 * border


def test_level_sets_are_nested_around_the_seed(white):
    radius = reach_radius(white, MIDDLE, 0.2, VOLUME)
    along = radius[10, 10, 10:17]
    assert (np.diff(along) > 0).all()


def test_grey_matter_is_reached_later_and_fluid_continues_its_border(white):
    white[:8], white[12:] = 0.1, 0.0
    radius = reach_radius(white, MIDDLE, 0.2, VOLUME)
    assert radius[5, 10, 10] > 1.1 * radius[10, 5, 10]
    np.testing.assert_allclose(radius[14:18, 10, 10], radius[11, 10, 10] + np.arange(3, 7), atol=0.4)


def test_without_a_seed_nothing_is_reached(white):
    assert np.isinf(reach_radius(white, np.zeros((0, 3), int), 0.2, VOLUME)).all()
