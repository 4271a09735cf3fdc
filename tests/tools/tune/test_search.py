import numpy as np
import pytest

from segcube.spec import patient_of, split_by_patient
from segcube.spec.challenges import load_challenge
from segcube.tools.tune.cases import TuningCase
from segcube.tools.tune.objective import CaseObjective
from segcube.tools.tune.region_scores import region_score_of
from segcube.tools.tune.search import Tuned, fit, mean_score, tune_cases
from segcube.tools.tune.search_space import build_search_space

NAMES = ("TC", "WT", "ET")
CASES = [f"BraTS-GLI-{number:05d}-000" for number in range(4)]
SPACE = build_search_space([], NAMES, "regions", [], ((1.0, 1.0, 1.0),))


def changed(space, point):
    return {name: value for name, value in point.items() if value != space.start[name]}


def test_the_nearest_of_the_best_thresholds_is_found(scores_of, make_case):
    # Every threshold from 0.05 to 0.35 is right: 0.3 is the nearest to 0.5 of the coarse ones
    point = fit(scores_of(SPACE, make_case()), SPACE, [0])
    assert changed(SPACE, point) == {"WT threshold": pytest.approx(0.3)}


def test_a_low_threshold_is_found_together_with_the_filter_that_it_needs(scores_of, make_case):
    score_cases = scores_of(SPACE, make_case(inside=0.35, specks=0.42))
    point = fit(score_cases, SPACE, [0])
    assert changed(SPACE, point) == {"WT threshold": pytest.approx(0.3), "WT min_voxels": 10}
    assert mean_score(score_cases(point, [0])) == 1.0


def test_a_wrong_member_loses_weight(scores_of, make_case):
    wrong_kxyz = np.zeros((3, 16, 12, 10), np.float16)
    wrong_kxyz[NAMES.index("WT"), 10:] = 0.9
    space = build_search_space([], NAMES, "regions", ["good", "wrong"], ((1.0,) * 3,) * 2)
    score_cases = scores_of(space, make_case(inside=0.6, members=[wrong_kxyz]))
    point = fit(score_cases, space, [0])
    assert point["WT weight of wrong"] < point["WT weight of good"]
    assert mean_score(score_cases(point, [0])) == 1.0


def test_own_values_stay_without_a_gain_or_a_case(scores_of, make_case):
    assert fit(scores_of(SPACE, make_case(inside=0.9)), SPACE, [0]) == SPACE.start
    assert fit(scores_of(SPACE, make_case()), SPACE, []) == SPACE.start


def tune(score_cases, folds=5, space=SPACE, names=CASES, log=lambda _: None):
    return tune_cases(score_cases, [patient_of(name) for name in names], space, (folds, 0), log)


def test_a_fit_never_scores_the_cases_that_it_holds_out(scores_of, make_case):
    score_cases = scores_of(SPACE, *(make_case(name) for name in CASES))
    scored = []

    def recorded(point, chosen):
        scored.append(tuple(chosen))
        return score_cases(point, chosen)

    tune(recorded, folds=4)
    begin = 0
    for fold in split_by_patient(CASES, 4, seed=0):
        end = scored.index(fold.validation, begin)
        assert set(scored[begin:end]) == {fold.training}
        begin = end + 1


def test_a_threshold_that_helps_every_case_is_used(scores_of, make_case):
    lines = []
    score_cases = scores_of(SPACE, *(make_case(name) for name in CASES))
    tuned = tune(score_cases, folds=2, log=lines.append)
    assert changed(SPACE, tuned.fitted) == {"WT threshold": pytest.approx(0.3)}
    assert [changed(SPACE, point) for point in tuned.in_folds] == [changed(SPACE, tuned.fitted)] * 2
    assert tuned.before == [{"WT": 0.0, "TC": 1.0, "ET": 1.0}] * 4
    assert tuned.after == [{"WT": 1.0, "TC": 1.0, "ET": 1.0}] * 4
    assert tuned.gain == pytest.approx(1 / 3)
    assert tuned.improves
    assert lines == ["fold 1 of 2", "fold 2 of 2", "all cases"]


def test_a_gain_of_one_case_alone_is_not_used(scores_of, make_case):
    # One odd case needs a low threshold, which costs the others a little each: the mean over all cases
    # gains by it, a held-out case never does.
    cases = [make_case(CASES[0], inside=0.35)]
    cases += [make_case(name, inside=0.9, specks=0.35) for name in CASES[1:]]
    tuned = tune(scores_of(SPACE, *cases))
    assert tuned.fitted != SPACE.start
    assert not tuned.improves


def test_results_depend_on_the_seed_alone(scores_of, make_case):
    cases = [make_case(name, inside=0.2 + 0.1 * number) for number, name in enumerate(CASES[:2])]
    first, second = (tune(scores_of(SPACE, *cases), names=CASES[:2]) for _ in range(2))
    assert first == second


def scored(before, after, names=("MBAS_001", "MBAS_002", "MBAS_003")):
    rows = [[{"LA": value} for value in values] for values in (before, after)]
    patients = tuple(patient_of(name) for name in names)
    return Tuned(SPACE, patients, {"another": "point"}, (), *rows, rows[1])


def test_the_error_is_the_standard_error_over_patients():
    tuned = scored([0.5, 0.5, 0.5], [0.6, 0.7, 0.8])
    assert tuned.gain == pytest.approx(0.2)
    assert tuned.error == pytest.approx(0.1 / np.sqrt(3))


def test_scans_of_one_patient_count_once():
    names = ("BraTS-GLI-00001-000", "BraTS-GLI-00001-001", "BraTS-GLI-00002-000")
    tuned = scored([0.0] * 3, [0.1, 0.3, 0.4], names)
    assert tuned.error == pytest.approx(np.std([0.2, 0.4], ddof=1) / np.sqrt(2))


@pytest.mark.parametrize(
    ("after", "improves"),
    [
        ([0.6, 0.6, 0.6], True),
        ([0.9, 0.3, 0.4], False),  # one case gains, two lose: mean +0.03, error 0.19
        ([0.5005, 0.5005, 0.5005], False),
    ],
)
def test_a_gain_counts_if_it_exceeds_its_error_and_noise(after, improves):
    assert scored([0.5, 0.5, 0.5], after).improves is improves


def test_weights_of_label_members_are_tuned():
    challenge = load_challenge("mbas2024")
    names = tuple(challenge.labels)
    own = ((1.0,) * 4,) * 2
    rng = np.random.default_rng(0)
    cases = []
    for number in range(3):
        truth_xyz = np.zeros((12, 10, 8), np.uint8)
        truth_xyz[2:5, 2:8, 2:6], truth_xyz[6:10, 2:8, 2:6] = challenge.labels["RA"], challenge.labels["LA"]
        good_kxyz = 0.4 * np.eye(4)[truth_xyz].transpose(3, 0, 1, 2) + 0.15
        random_kxyz = rng.dirichlet([0.2] * 4, truth_xyz.shape).transpose(3, 0, 1, 2)
        members_mkxyz = np.stack([good_kxyz, random_kxyz]).astype(np.float16)
        merged_kxyz = members_mkxyz.astype(np.float32).mean(axis=0)
        name = f"MBAS_00{number}"
        cases.append(
            TuningCase(name, names, "labels", merged_kxyz, members_mkxyz, own, truth_xyz, (1.0, 1.0, 1.0))
        )
    space = build_search_space([], names, "labels", ("good", "random"), own)
    objectives = [
        CaseObjective(case, challenge, region_score_of(case, challenge, challenge.metrics)) for case in cases
    ]

    def score_cases(point, chosen):
        weights = space.weights_at(point)
        return [objectives[index].scores(space.rules_at(point), weights) for index in chosen]

    tuned = tune(score_cases, 3, space, [case.name for case in cases])
    assert tuned.improves
    assert mean_score(tuned.after) > 0.95
    good, random = space.weights_at(tuned.fitted)
    assert sum(random) < sum(good)
