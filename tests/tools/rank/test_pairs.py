import numpy as np
import pytest

from segcube.evaluation import counted_metrics
from segcube.tools.rank.ranking import PERMUTATIONS, ScoreTable, chance, compare, rank


@pytest.mark.parametrize(
    ("gains", "share"),
    [
        ([1, 1, 1], 1 / 8),  # only the ways as they are reach 3
        ([1, 2, 3], 1 / 8),
        ([2, 1, -1], 3 / 8),  # 2+1+1, 2+1-1 and 2-1+1 reach 2
        ([0, 0, 0], 1.0),
        ([0, 1, 0], 1 / 2),
    ],
)
def test_small_sets_count_every_way_to_change_places(gains, share):
    signs = np.array(np.meshgrid(*[[1, -1]] * 3)).reshape(3, -1).T
    counted = np.mean(signs @ np.array(gains) >= sum(gains))
    assert counted == share
    assert chance(np.array(gains, dtype=float), seed=0) == pytest.approx(share)


def test_a_single_case_tells_nothing():
    assert chance(np.array([1.0]), seed=0) == 1.0


def test_many_cases_are_permuted_at_random_by_the_seed():
    gains = np.tile([0.5, -0.5, 0.25, 0.0], 6)
    assert 2 ** len(gains) > PERMUTATIONS
    assert chance(gains, seed=1) == chance(gains, seed=1)
    assert chance(gains, seed=1) != chance(gains, seed=2)
    assert chance(gains, seed=1) == pytest.approx(0.23, abs=0.03)


@pytest.fixture
def compared():
    values = np.array([[0.5, 0.5, 0.9], [0.9, 0.6, 0.8]])[..., None]
    table = ScoreTable(("a", "b"), ("c0", "c1", "c2"), (("WT", "dice"),), values)
    return compare(table, rank(table, counted_metrics("own", ["dice"])), seed=0)


def test_the_better_submission_stands_first_with_its_lead(compared):
    (pair,) = compared
    assert (pair.better, pair.worse) == ("b", "a")
    assert pair.rank_gain == pytest.approx(1 / 3)
    assert pair.gains["WT"]["dice"] == pytest.approx((0.4 + 0.1 - 0.1) / 3)


def test_the_cases_are_told_where_one_wins_and_loses(compared):
    (pair,) = compared
    assert pair.cases == {"c0": 1.0, "c1": 1.0, "c2": -1.0}
    assert (pair.wins, pair.losses) == (2, 1)


def test_gains_leave_out_what_is_not_finite():
    values = np.array([[np.inf, 2.0], [1.0, 3.0]])[..., None]
    table = ScoreTable(("a", "b"), ("c0", "c1"), (("WT", "hd95"),), values)
    (pair,) = compare(table, rank(table, counted_metrics("own", ["hd95"])), seed=0)
    assert pair.gains["WT"]["hd95"] == -1.0
