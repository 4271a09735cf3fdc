import numpy as np
import pytest

from segcube.spec import split
from segcube.tools.tune.crossvalidation import HeldOut, cross_validate
from segcube.tools.tune.search_space import knob_blocks, starting_point

NAMES = ("TC", "WT", "ET")
CASES = [f"BraTS-GLI-{number:05d}-000" for number in range(4)]
START = starting_point([], NAMES, "regions", ((1.0, 1.0, 1.0),))
BLOCKS = knob_blocks(START, NAMES, [])


class Watched:
    """A panel that notes which cases are scored."""

    def __init__(self, panel):
        self.panel, self.rounds = panel, []

    def scores(self, point, chosen):
        self.rounds.append(tuple(chosen))
        return self.panel.scores(point, chosen)


def test_a_fit_never_sees_what_it_holds_out(seat, make_case):
    watched = Watched(seat(*(make_case(name) for name in CASES)))
    folds = split(CASES, 4, seed=0)
    cross_validate(watched, CASES, START, BLOCKS, folds)
    begin = 0
    for fold in folds:
        end = watched.rounds.index(fold.held_out, begin)
        assert set(watched.rounds[begin:end]) == {fold.fitted}
        begin = end + 1


def test_what_all_cases_share_is_gained_by_unseen_ones(seat, make_case):
    panel = seat(*(make_case(name) for name in CASES))
    held_out = cross_validate(panel, CASES, START, BLOCKS, split(CASES, 2, seed=0))
    assert held_out.regions() == {"WT": (0.0, 1.0), "TC": (1.0, 1.0), "ET": (1.0, 1.0)}
    assert held_out.gain == pytest.approx(1 / 3)
    assert held_out.convinces


def scored(before, after):
    names = tuple(f"MBAS_{index:03d}" for index in range(len(before)))
    return HeldOut(names, [{"LA": value} for value in before], [{"LA": value} for value in after], ())


def test_the_error_is_that_of_the_mean_over_patients():
    held_out = scored([0.5, 0.5, 0.5], [0.6, 0.7, 0.8])
    assert held_out.gain == pytest.approx(0.2)
    assert held_out.error == pytest.approx(0.1 / np.sqrt(3))


def test_scans_of_one_patient_count_as_one_witness():
    names = ("BraTS-GLI-00001-000", "BraTS-GLI-00001-001", "BraTS-GLI-00002-000")
    rows = [{"WT": 0.0}] * 3
    held_out = HeldOut(names, rows, [{"WT": 0.1}, {"WT": 0.3}, {"WT": 0.4}], ())
    assert held_out.error == pytest.approx(np.std([0.2, 0.4], ddof=1) / np.sqrt(2))


@pytest.mark.parametrize(
    ("after", "convinces"),
    [
        ([0.6, 0.6, 0.6], True),
        ([0.9, 0.3, 0.4], False),  # one case gains, two lose: mean +0.03, error 0.19
        ([0.5005, 0.5005, 0.5005], False),
        ([0.4, 0.4, 0.4], False),
    ],
)
def test_a_gain_convinces_when_it_exceeds_its_error(after, convinces):
    assert scored([0.5, 0.5, 0.5], after).convinces is convinces
