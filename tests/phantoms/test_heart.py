import numpy as np
import pytest
from scipy import ndimage

from segcube.phantoms.fields import Space
from segcube.phantoms.heart import Chamber, make_chambers, make_heart


@pytest.fixture(scope="module")
def space():
    return Space(np.arange(-80.0, 81), np.arange(-80.0, 81), np.arange(-50.0, 51, 2.5))


@pytest.fixture(scope="module")
def chambers(space):
    rng = np.random.default_rng(0)
    return make_chambers(rng, make_heart(rng, space))


def test_cavities_have_human_size_and_position(chambers):
    middles = {}
    for chamber in (Chamber.RIGHT_CAVITY, Chamber.LEFT_CAVITY):
        cavity = chambers == chamber
        assert 30 < cavity.sum() * 2.5 / 1000 < 150
        middles[chamber] = np.array(ndimage.center_of_mass(cavity))
    offset = middles[Chamber.LEFT_CAVITY] - middles[Chamber.RIGHT_CAVITY]
    assert offset[0] > 20
    assert offset[1] > 10


def test_walls_are_thin_and_surround_their_cavity(chambers):
    left = chambers == Chamber.LEFT_CAVITY
    shell = ndimage.binary_dilation(left, iterations=1) & ~left
    assert (chambers[shell] == Chamber.LEFT_WALL).mean() > 0.5
    walls = (chambers == Chamber.LEFT_WALL) | (chambers == Chamber.RIGHT_WALL)
    away = ndimage.distance_transform_edt(
        ~((chambers == Chamber.LEFT_CAVITY) | (chambers == Chamber.RIGHT_CAVITY)), sampling=(1, 1, 2.5)
    )
    assert np.median(away[walls]) < 3
    assert np.percentile(away[walls], 95) < 5


def test_cavities_do_not_overlap(space):
    heart = make_heart(np.random.default_rng(1), space)
    assert not ((heart.left_xyz < 0) & (heart.right_xyz < 0)).any()
    assert not ((heart.ventricles_xyz < 0) & (np.minimum(heart.left_xyz, heart.right_xyz) < 0)).any()
