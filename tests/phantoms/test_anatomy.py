import numpy as np
import pytest

from segcube.phantoms.anatomy import make_anatomy
from segcube.phantoms.fields import Space


@pytest.fixture(scope="module")
def anatomy():
    space = Space(np.arange(-76.0, 77, 3), np.arange(-94.0, 95, 3), np.arange(-76.0, 77, 3))
    return make_anatomy(np.random.default_rng(0), space)


def test_the_brain_is_of_human_size(anatomy):
    millilitres = (anatomy.depth_xyz > 0).sum() * 27 / 1000
    assert 1000 < millilitres < 1800


def test_the_box_holds_the_whole_brain(anatomy):
    brain = anatomy.depth_xyz > 0
    assert not any(brain.take(side, axis).any() for axis in (0, 1) for side in (0, -1))


def test_occupancies_run_from_0_to_1(anatomy):
    for part in (anatomy.grey_xyz, anatomy.fluid_xyz, anatomy.vessel_xyz, anatomy.choroid_xyz):
        assert part.min() == 0
        assert 0.9 < part.max() <= 1


def test_ventricles_hold_fluid_deep_inside(anatomy):
    deep = anatomy.ventricle_xyz < -2
    assert deep.any()
    assert anatomy.fluid_xyz[deep].min() == 1
    assert anatomy.depth_xyz[deep].min() > 15


def test_grey_matter_is_outside_of_white_matter(anatomy):
    inside = anatomy.depth_xyz > 2
    grey = anatomy.depth_xyz[inside & (anatomy.grey_xyz > 0.9)].mean()
    white = anatomy.depth_xyz[inside & (anatomy.grey_xyz + anatomy.fluid_xyz < 0.1)].mean()
    assert grey + 5 < white
