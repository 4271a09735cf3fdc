from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from segcube.phantoms.fields import Space
from segcube.phantoms.heart import Chamber
from segcube.phantoms.heart.atria import chambers_of
from segcube.phantoms.heart.shapes import build_heart, draw_shape


@pytest.fixture(scope="module")
def space():
    return Space(np.arange(-95.0, 96, 2), np.arange(-80.0, 81, 2), np.arange(-60.0, 61, 2.5))


@pytest.fixture(scope="module")
def shape():
    return draw_shape(np.random.default_rng(0))


@pytest.fixture(scope="module")
def heart(shape, space):
    return build_heart(shape, space)


@pytest.fixture(scope="module")
def chambers(heart):
    return chambers_of(heart, 2.2, 0.0)


def test_atria_have_human_size_and_position(chambers):
    middles = {}
    for chamber in (Chamber.RIGHT_CAVITY, Chamber.LEFT_CAVITY):
        cavity = chambers == chamber
        assert 25 < cavity.sum() * 10 / 1000 < 260
        middles[chamber] = np.array(ndimage.center_of_mass(cavity)) * (2, 2, 2.5)
    offset = middles[Chamber.LEFT_CAVITY] - middles[Chamber.RIGHT_CAVITY]
    assert offset[0] > 25
    assert offset[1] > 5


def test_walls_are_thin_and_around_their_cavity(chambers):
    left = chambers == Chamber.LEFT_CAVITY
    shell = ndimage.binary_dilation(left) & ~left
    assert (chambers[shell] == Chamber.LEFT_WALL).mean() > 0.4
    cavities = left | (chambers == Chamber.RIGHT_CAVITY)
    away = ndimage.distance_transform_edt(~cavities, sampling=(2, 2, 2.5))
    walls = (chambers == Chamber.LEFT_WALL) | (chambers == Chamber.RIGHT_WALL)
    assert np.percentile(away[walls], 95) < 5


def test_blood_of_two_cavities_does_not_overlap(heart):
    left, right = heart.left_xyz < 0, heart.right_xyz < 0
    assert not (left & right).any()
    assert not ((left | right) & (heart.ventricles_xyz < 0)).any()


def test_an_inset_shrinks_the_cavities_alone(heart, chambers):
    inner = chambers_of(heart, 2.2, 1.0)
    assert (inner == Chamber.LEFT_CAVITY).sum() < (chambers == Chamber.LEFT_CAVITY).sum()
    assert ((inner > 0) == (chambers > 0)).mean() > 0.99


def test_a_longer_vein_reaches_farther(shape, space):
    def width(length):
        veins = tuple(replace(vein, labelled_mm=length) for vein in shape.veins)
        left = build_heart(replace(shape, veins=veins), space).left_xyz < 0
        return np.ptp(np.argwhere(left)[:, 0])

    assert width(4.0) < width(20.0)


def test_hearts_are_a_function_of_their_parameters(shape, heart, space):
    again = build_heart(shape, space)
    np.testing.assert_array_equal(again.left_xyz, heart.left_xyz)
    other = build_heart(replace(shape, seed=shape.seed + 1), space)
    assert (other.left_xyz != heart.left_xyz).any()
