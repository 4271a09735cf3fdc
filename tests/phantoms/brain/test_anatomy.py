import numpy as np
import pytest

from segcube.phantoms.brain.anatomy import build_anatomy, draw_person, locate, slab
from segcube.phantoms.fields import Space

SPACE = Space(np.arange(-80.0, 81, 4), np.arange(-100.0, 101, 4), np.arange(-80.0, 81, 4))


def anatomy_of(seed, age_span=(0.0, 1.0)):
    person = draw_person(np.random.default_rng(seed), age_span)
    places = locate(person, SPACE).reshape(3, -1)
    return build_anatomy(person).at(places, 4.0)


@pytest.fixture(scope="module")
def healthy():
    return anatomy_of(0)


def test_brains_are_of_human_size():
    litres = [(anatomy_of(seed).depth_n > 0).sum() * 64e-6 for seed in range(4)]
    assert min(litres) > 1.1
    assert max(litres) < 1.75


def test_shares_sum_to_at_most_1(healthy):
    shares = (healthy.grey_n, healthy.deep_n, healthy.fluid_n)
    assert min(share.min() for share in shares) >= 0
    assert sum(shares).max() <= 1 + 1e-9


def test_ventricles_hold_fluid_deep_inside(healthy):
    deep = healthy.ventricle_n < -2
    assert deep.any()
    assert healthy.fluid_n[deep].min() > 0.9
    assert healthy.depth_n[deep].min() > 10


def test_cortex_is_outside_of_white_matter(healthy):
    inside = healthy.depth_n > 2
    white = 1 - healthy.grey_n - healthy.deep_n - healthy.fluid_n
    cortex = healthy.depth_n[inside & (healthy.grey_n > 0.6)].mean()
    assert cortex + 5 < healthy.depth_n[inside & (white > 0.9)].mean()


def test_old_brains_have_larger_ventricles():
    young, old = ((anatomy_of(1, (age, age)).ventricle_n < 0).sum() for age in (0.0, 1.0))
    assert old > 1.3 * young


def test_pressure_closes_sulci():
    person = draw_person(np.random.default_rng(0))
    body, places = build_anatomy(person), locate(person, SPACE).reshape(3, -1)
    open_, closed = (body.at(places, 4.0, squeeze) for squeeze in (0.0, 1.0))
    inside = open_.depth_n > 5
    assert closed.fluid_n[inside].sum() < 0.9 * open_.fluid_n[inside].sum()


def test_a_slab_fills_its_share_of_a_voxel():
    # A sheet of 1 mm in a voxel of 2 mm: one half at its middle, one quarter where it is cut in half
    np.testing.assert_allclose(slab(np.array([0.0, 1.0, 3.0]), 0.5, 2.0), [0.5, 0.25, 0])
    np.testing.assert_allclose(slab(np.array([0.0]), -0.5, 2.0), [0])
