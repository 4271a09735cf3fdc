from dataclasses import replace

import numpy as np
import pytest

from segcube.phantoms.brain.anatomy import build_anatomy, draw_person, locate
from segcube.phantoms.brain.extent import distances_at, place_lesions, site_mask, smooth_noise_at
from segcube.phantoms.brain.plans import Nodules, Plan
from segcube.phantoms.fields import Space

SPACE = Space(np.arange(-80.0, 81, 4), np.arange(-100.0, 101, 4), np.arange(-80.0, 81, 4))
POINTS = np.stack([axis.ravel() for axis in np.meshgrid(*SPACE.axes, indexing="ij")])


@pytest.fixture(scope="module")
def healthy():
    person = draw_person(np.random.default_rng(0))
    return build_anatomy(person).at(locate(person, SPACE).reshape(3, -1), 4.0)


def distances(plan, healthy, seed=0):
    extent = place_lesions(np.random.default_rng(seed), plan, SPACE, healthy)
    return distances_at(extent, plan, POINTS)


def test_an_infiltrating_lesion_has_its_volume_and_core(healthy):
    whole, core = distances(Plan(volume_ml=80, core_share=0.4, edge_mm=1.0), healthy)
    assert (whole < 0).sum() * 0.064 == pytest.approx(80, rel=0.25)
    assert (core < 0).sum() * 0.064 == pytest.approx(32, rel=0.35)
    assert (whole[core < 0] < 0).all()


def test_nodules_are_as_many_and_as_large_as_planned(healthy):
    plan = Plan(edge_mm=0.3, nodules=(Nodules(2, (9.0, 9.0), (6.0, 6.0), "junction"),))
    extent = place_lesions(np.random.default_rng(0), plan, SPACE, healthy)
    assert [(focus.radius_mm, focus.edema_mm) for focus in extent.foci] == [(9, 15), (9, 15)]
    _, core = distances_at(extent, plan, POINTS)
    assert (core < 0).sum() * 0.064 == pytest.approx(2 * 4.19 * 0.729, rel=0.25)


@pytest.mark.parametrize("site", ["lobes", "midline", "cerebellum", "junction", "surface"])
def test_every_site_has_room(healthy, site):
    assert site_mask(site, SPACE, healthy).sum() > 20


def test_noise_at_points_has_unit_variance_and_is_smooth():
    noise = smooth_noise_at(np.random.default_rng(0), 20.0, POINTS).reshape(SPACE.shape)
    assert noise.std() == pytest.approx(1, abs=0.2)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.4
    assert smooth_noise_at(np.random.default_rng(0), 20.0, np.zeros((3, 0))).size == 0


def test_rounding_does_not_move_lesions(healthy):
    assert (np.abs(healthy.fluid_n - 0.3) < 1e-9).sum() > 20
    less, more = (replace(healthy, fluid_n=healthy.fluid_n + shift) for shift in (-1e-12, 1e-12))
    for site in ("midline", "cerebellum", "junction"):
        np.testing.assert_array_equal(site_mask(site, SPACE, less), site_mask(site, SPACE, more))
