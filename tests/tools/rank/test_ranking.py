import json

import numpy as np
import pytest

from segcube.core import UsageError
from segcube.evaluation import counted_metrics
from segcube.tools.rank import rank_files
from segcube.tools.rank.ranking import PERMUTATIONS, ScoreTable, compare, p_value, rank_cases, tabulate
from segcube.tools.rank.scores import read_scores


def ranks_of(values_snc, *metrics):
    """The rank of each submission in each case."""
    values = np.array(values_snc, dtype=float)
    names = tuple(f"s{index}" for index in range(values.shape[0]))
    cases = tuple(f"c{index}" for index in range(values.shape[1]))
    table = ScoreTable(names, cases, tuple(("WT", metric) for metric in metrics), values)
    return rank_cases(table, counted_metrics("own", metrics)).tolist()


def test_ranks_by_hand():
    # Case 0: Dice ranks 1 2 3, HD95 ranks 2 1 3. Case 1: Dice ranks 2 1 3, HD95 ranks 1.5 1.5 3.
    ranks = ranks_of(
        [[[0.9, 5], [0.8, 2]], [[0.8, 4], [0.9, 2]], [[0.1, 9], [0.2, 8]]],
        "lesionwise_dice",
        "lesionwise_hd95",
    )
    assert ranks == [[1.5, 1.75], [1.5, 1.25], [3, 3]]


def test_ties_share_their_mean_rank():
    assert ranks_of([[[0.5]], [[0.7]], [[0.7]]], "dice") == [[3], [1.5], [1.5]]


def test_rounding_noise_is_a_tie():
    assert ranks_of([[[0.3]], [[0.1 + 0.2]]], "dice") == [[1.5], [1.5]]


def test_infinite_distances_are_last_and_tie():
    assert ranks_of([[[np.inf]], [[3]], [[np.inf]]], "hd95") == [[2.5], [1], [2.5]]


def test_a_region_in_neither_map_beats_a_false_positive_and_ties_with_another():
    assert ranks_of([[[np.nan]], [[0]], [[np.nan]]], "dice") == [[1.5], [3], [1.5]]
    assert ranks_of([[[373]], [[np.nan]]], "hd95") == [[2], [1]]


def test_the_quality_of_matches_is_worst_where_nothing_matched():
    assert ranks_of([[[np.nan]], [[0.1]]], "sq_dice") == [[2], [1]]


def test_a_missing_map_never_beats_a_map_by_its_errors():
    # The first submission has a map with two false positives, the second none; both miss three lesions
    assert ranks_of([[[2, 3]], [[np.nan, 3]]], "num_fp", "num_fn") == [[1.25], [1.75]]


def test_score_files_are_tabulated(score_file):
    files = [score_file("a", dice=[0.1, 0.2], hd95=[1, "inf"]), score_file("b", dice=[0.3, 0.4], hd95=[3, 4])]
    table = tabulate(read_scores(files), counted_metrics("plain"))
    assert table.columns == (("WT", "dice"), ("WT", "hd95"))
    assert table.values.tolist() == [[[0.1, 1], [0.2, np.inf]], [[0.3, 3], [0.4, 4]]]


def test_a_missing_metric_is_an_error_that_lists_the_others(score_file):
    files = [score_file("a", dice=[0.1]), score_file("b", dice=[0.3])]
    with pytest.raises(UsageError, match=r"a has no hd95 of WT in case0; expected dice"):
        tabulate(read_scores(files), counted_metrics("plain"))


@pytest.mark.parametrize(
    ("gains", "share"),
    [
        ([1, 2, 3], 1 / 8),  # only the original order reaches 6
        ([2, 1, -1], 3 / 8),  # 2+1+1, 2+1-1 and 2-1+1 reach 2
        ([0, 0, 0], 1.0),
    ],
)
def test_few_cases_are_permuted_in_every_way(gains, share):
    signs = np.array(np.meshgrid(*[[1, -1]] * 3)).reshape(3, -1).T
    counted = np.mean(signs @ np.array(gains) >= sum(gains))
    assert counted == share
    assert p_value(np.array(gains, dtype=float), seed=0) == pytest.approx(share)


def test_a_single_case_has_p_value_1():
    assert p_value(np.array([1.0]), seed=0) == 1.0


def test_many_cases_are_permuted_at_random_by_the_seed():
    gains = np.tile([0.5, -0.5, 0.25, 0.0], 6)
    assert 2 ** len(gains) > PERMUTATIONS
    assert p_value(gains, seed=1) == p_value(gains, seed=1)
    assert p_value(gains, seed=1) != p_value(gains, seed=2)
    assert p_value(gains, seed=1) == pytest.approx(0.23, abs=0.03)


@pytest.fixture
def compared():
    values = np.array([[0.5, 0.5, 0.9], [0.9, 0.6, 0.8]])[..., None]
    table = ScoreTable(("a", "b"), ("c0", "c1", "c2"), (("WT", "dice"),), values)
    return compare(table, rank_cases(table, counted_metrics("own", ["dice"])), 1, 0, seed=0)


def test_a_pair_has_the_mean_differences(compared):
    assert (compared.better, compared.worse) == ("b", "a")
    assert compared.rank_gain == pytest.approx(1 / 3)
    assert compared.gains["WT"]["dice"] == pytest.approx((0.4 + 0.1 - 0.1) / 3)


def test_a_pair_lists_the_difference_in_each_case(compared):
    pair = compared
    assert pair.cases == {"c0": 1.0, "c1": 1.0, "c2": -1.0}
    assert (pair.wins, pair.losses) == (2, 1)


def test_gains_skip_infinite_values():
    values = np.array([[np.inf, 2.0], [1.0, 3.0]])[..., None]
    table = ScoreTable(("a", "b"), ("c0", "c1"), (("WT", "hd95"),), values)
    pair = compare(table, rank_cases(table, counted_metrics("own", ["hd95"])), 1, 0, seed=0)
    assert pair.gains["WT"]["hd95"] == 1.0


def test_json_has_places_ranks_and_pairs(score_file):
    files = [
        score_file("a", dice=[0.5, "nan"], hd95=[3, "nan"]),
        score_file("b", dice=[0.6, 0.0], hd95=[2, "inf"]),
        score_file("c", dice=[0.4, 0.0], hd95=[4, "inf"]),
    ]
    content = json.loads(rank_files(files, ["dice", "hd95"], seed=3).as_json())
    assert content["metrics"] == {"dice": "higher is better", "hd95": "lower is better"}
    assert content["seed"] == 3
    assert list(content["submissions"]) == ["a", "b", "c"]
    assert content["submissions"]["a"] == {
        "place": 1,
        "rank": 1.5,
        "mean": {"dice": 0.5, "hd95": 3.0},
        "cases": {"case0": 2.0, "case1": 1.0},
    }
    assert [(pair["better"], pair["worse"]) for pair in content["pairs"]] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]


@pytest.mark.parametrize(("values", "mean"), [([2, "inf"], "inf"), ([2, "nan"], 2.0), (["nan"], "nan")])
def test_a_mean_counts_inf_and_leaves_out_nan_as_evaluate_does(score_file, values, mean):
    files = [score_file(name, hd95=values) for name in "ab"]
    content = json.loads(rank_files(files, ["hd95"]).as_json())
    assert content["submissions"]["a"]["mean"]["hd95"] == mean


def test_equals_share_the_first_place(score_file):
    files = [score_file(name, dice=[0.5, 0.6]) for name in "ab"]
    ranking = rank_files(files, ["dice"])
    assert [place.place for place in ranking.places.values()] == [1, 1]
    assert ranking.pairs[0].p_value == 1.0
