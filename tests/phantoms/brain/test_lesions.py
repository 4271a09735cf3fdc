from dataclasses import replace

import numpy as np
import pytest

from segcube.phantoms.brain.anatomy import Healthy
from segcube.phantoms.brain.lesions import Place, compose, label_tissues
from segcube.phantoms.brain.plans import Enhancement, Plan
from segcube.phantoms.brain.tissues import Tissue

RADIUS = 12.0
PLAN = Plan(fade_mm=1.0, spare_grey_mm=2.0)
RIM = replace(PLAN, enhancement=Enhancement("rim", rim_mm=3.0, share=0.95))


@pytest.fixture
def place():
    """A core of 12 mm radius within edema of 20 mm, in white matter."""
    points = np.stack([axis.ravel() for axis in np.meshgrid(*(np.arange(-24.0, 25, 2),) * 3)])
    length = np.sqrt((points**2).sum(axis=0))
    none = np.zeros(length.size)
    healthy = Healthy(none + 30, none + 30, none + 1, none, none, none, none + 30)
    return Place(points, healthy, length - 20, length - RADIUS, RADIUS, 2.0)


def shares_of(plan, place):
    return compose(np.random.default_rng(0), plan, place)


def test_shares_sum_to_1_inside_and_to_0_far_outside(place):
    plan = replace(RIM, cyst_share=0.3, blood_share=0.2)
    total = sum(shares_of(plan, place).values())
    assert total.max() <= 1 + 1e-9
    np.testing.assert_allclose(total[place.whole_n < -2], 1)
    assert not total[place.whole_n > 2].any()


def test_edema_surrounds_the_core(place):
    labels = label_tissues(PLAN, place, shares_of(PLAN, place))
    assert (labels[place.core_n < -1] == Tissue.CORE).all()
    assert (labels[(place.core_n > 1) & (place.whole_n < 0)] == Tissue.EDEMA).all()
    assert not labels[place.whole_n > 0].any()


def test_a_rim_enhances_at_the_border_of_the_core(place):
    enhancing = shares_of(RIM, place)[Tissue.ENHANCING]
    assert enhancing[np.abs(place.core_n + 1) < 1].mean() > 0.5
    assert not enhancing[place.core_n < -RADIUS / 1.2].any()
    assert not enhancing[place.core_n > 1].any()


def test_remains_enhance_around_a_cavity(place):
    labels = label_tissues(RIM, place, shares_of(replace(RIM, cavity_share=0.5), place))
    length = place.core_n + RADIUS
    assert (labels[length < 5] == Tissue.CAVITY).all()
    assert length[labels == Tissue.ENHANCING].mean() > length[labels == Tissue.CAVITY].mean() + 2


@pytest.mark.parametrize(
    ("tissue", "change"),
    [
        (Tissue.CYST, {"cyst_share": 0.4}),
        (Tissue.BLOOD, {"blood_share": 0.4}),
        (Tissue.ENHANCING, {"enhancement": Enhancement("patchy", share=0.4)}),
    ],
)
def test_blobs_fill_about_their_share_of_the_core(place, tissue, change):
    core = place.core_n < -1
    found = [
        compose(np.random.default_rng(seed), replace(PLAN, **change), place)[tissue][core].mean()
        for seed in range(12)
    ]
    assert 0.2 < np.mean(found) < 0.6


def test_edema_spares_cortex_and_fluid(place):
    half = place.points_3n[0] > 0
    grey = replace(place.healthy, grey_n=half.astype(float))
    fluid = replace(place.healthy, fluid_n=half.astype(float))
    for healthy in (grey, fluid):
        labels = label_tissues(PLAN, replace(place, healthy=healthy), shares_of(PLAN, place)) == Tissue.EDEMA
        assert labels[half].sum() < 0.8 * labels[~half].sum()


def test_small_cores_have_no_cyst(place):
    small = replace(place, core_mm=3.0)
    assert Tissue.CYST not in shares_of(replace(PLAN, cyst_share=0.5), small)
