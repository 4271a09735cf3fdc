from typing import get_args

import numpy as np
import pytest

from segcube.phantoms.brain.plans import KINDS, draw_plan
from segcube.spec.challenges.schema import PhantomKind


def plans(kind, count=60):
    return [draw_plan(np.random.default_rng(seed), kind) for seed in range(count)]


def test_every_kind_of_a_challenge_file_has_plans():
    assert {*KINDS, "atria"} == set(get_args(PhantomKind))


@pytest.mark.parametrize("kind", KINDS)
def test_plans_have_lesions_and_shares_from_0_to_1(kind):
    for plan in plans(kind, 20):
        assert plan.volume_ml > 0 or plan.nodules
        shares = (plan.core_share, plan.cyst_share, plan.blood_share, plan.cavity_share)
        assert all(0 <= share < 1 for share in (*shares, plan.enhancement.share))


def test_a_part_of_gliomas_does_not_enhance():
    patterns = [plan.enhancement.pattern for plan in plans("glioma")]
    assert 0.2 < patterns.count("none") / len(patterns) < 0.6


def test_gliomas_are_of_7_to_240_millilitres():
    volumes = [plan.volume_ml for plan in plans("glioma")]
    assert 7 <= min(volumes) < 40
    assert 150 < max(volumes) <= 240


def test_treated_gliomas_mostly_have_a_cavity():
    assert 0.5 < np.mean([plan.cavity_share > 0 for plan in plans("treated-glioma")]) < 0.95


def test_metastases_are_many_and_meningiomas_few():
    many, few = ([plan.nodules[0].count for plan in plans(kind)] for kind in ("metastases", "meningioma"))
    assert max(many) > 8
    assert set(few) == {1, 2}


def test_only_radiotherapy_keeps_the_skull():
    assert [kind for kind in KINDS if not all(plan.is_stripped for plan in plans(kind, 10))] == [
        "meningioma-radiotherapy"
    ]
