import numpy as np
import pytest

from segcube.spec.challenges import load_challenge
from segcube.tools.tune.cases import TuningCase
from segcube.tools.tune.objective import region_scorer
from segcube.tools.tune.search_space import starting_point
from segcube.tools.tune.tuning import tune_cases

NAMES = ("TC", "WT", "ET")
START = starting_point([], NAMES, "regions", ((1.0, 1.0, 1.0),))


def tune(cases, glioma, overlap, start=START):
    return tune_cases(cases, start, (), glioma, overlap, folds=(5, 0))


def named(number):
    return f"BraTS-GLI-{number:05d}-000"


def test_a_threshold_that_helps_everyone_is_taken(make_case, glioma, overlap):
    tuned = tune([make_case(named(number)) for number in range(4)], glioma, overlap)
    assert tuned.point.thresholds["WT"] == pytest.approx(0.3)
    (change,) = tuned.changes
    assert (change.name, change.before, change.after) == ("WT threshold", 0.5, pytest.approx(0.3))
    assert change.in_folds == pytest.approx((0.3,) * 4)
    assert tuned.score_fitted == 1.0


def test_what_fits_one_case_alone_is_refused(make_case, glioma, overlap):
    # One odd case wants a low bound, which costs the others a little each: it pays on the cases at hand,
    # and never on the one that is held out.
    cases = [make_case(named(0), inside=0.35)]
    cases += [make_case(named(number), inside=0.9, specks=0.35) for number in range(1, 4)]
    start = starting_point([], NAMES, "regions", ((1.0, 1.0, 1.0),))
    tuned = tune(cases, glioma, overlap, start)
    assert tuned.fitted != start
    assert not tuned.held_out.convinces
    assert tuned.point == start


def test_the_same_seed_tunes_alike(make_case, glioma, overlap):
    cases = [make_case(named(number), inside=0.2 + 0.1 * number) for number in range(2)]
    assert tune(cases, glioma, overlap) == tune(cases, glioma, overlap)


def test_the_weights_of_label_members_are_tuned():
    challenge = load_challenge("mbas2024")
    names = tuple(challenge.labels)
    rng = np.random.default_rng(0)
    cases = []
    for number in range(3):
        truth_xyz = np.zeros((12, 10, 8), np.uint8)
        truth_xyz[2:5, 2:8, 2:6], truth_xyz[6:10, 2:8, 2:6] = challenge.labels["RA"], challenge.labels["LA"]
        good_kxyz = 0.4 * np.eye(4)[truth_xyz].transpose(3, 0, 1, 2) + 0.15
        random_kxyz = rng.dirichlet([0.2] * 4, truth_xyz.shape).transpose(3, 0, 1, 2)
        members_mkxyz = np.stack([good_kxyz, random_kxyz]).astype(np.float16)
        own = ((1.0,) * 4,) * 2
        merged_kxyz = members_mkxyz.astype(np.float32).mean(axis=0)
        name = f"MBAS_00{number}"
        cases.append(
            TuningCase(name, names, "labels", merged_kxyz, members_mkxyz, own, truth_xyz, (1.0, 1.0, 1.0))
        )
    start = starting_point([], names, "labels", ((1.0,) * 4,) * 2)
    tuned = tune_cases(
        cases,
        start,
        ("good", "random"),
        challenge,
        lambda case: region_scorer(case, challenge, challenge.metrics),
        folds=(3, 0),
    )
    assert tuned.held_out.convinces
    assert tuned.score_fitted > 0.95
    good, random = tuned.point.weights
    assert sum(random) < sum(good)
