import numpy as np
import pytest

from segcube.core import UsageError
from segcube.evaluation import counted_metrics
from segcube.tools.rank.ranking import ScoreTable, rank, tabulate
from segcube.tools.rank.scores import read_scores


def ranks_of(values_snc, *metrics):
    values = np.array(values_snc, dtype=float)
    names = tuple(f"s{index}" for index in range(values.shape[0]))
    cases = tuple(f"c{index}" for index in range(values.shape[1]))
    table = ScoreTable(names, cases, tuple(("WT", metric) for metric in metrics), values)
    return rank(table, counted_metrics("own", metrics))


def test_ranks_by_hand():
    # Case 0: Dice ranks 1 2 3, HD95 ranks 2 1 3. Case 1: Dice ranks 2 1 3, HD95 ranks 1.5 1.5 3.
    ranks = ranks_of(
        [[[0.9, 5], [0.8, 2]], [[0.8, 4], [0.9, 2]], [[0.1, 9], [0.2, 8]]],
        "lesionwise_dice",
        "lesionwise_hd95",
    )
    assert ranks.by_case.tolist() == [[1.5, 1.75], [1.5, 1.25], [3, 3]]
    assert ranks.final.tolist() == [1.625, 1.375, 3]
    assert ranks.places.tolist() == [2, 1, 3]


def test_ties_share_their_mean_rank_and_the_better_place():
    ranks = ranks_of([[[0.5]], [[0.7]], [[0.7]]], "dice")
    assert ranks.final.tolist() == [3, 1.5, 1.5]
    assert ranks.places.tolist() == [3, 1, 1]


def test_rounding_noise_is_a_tie():
    assert ranks_of([[[0.3]], [[0.1 + 0.2]]], "dice").final.tolist() == [1.5, 1.5]


def test_infinite_distances_are_last_and_tie():
    assert ranks_of([[[np.inf]], [[3]], [[np.inf]]], "hd95").final.tolist() == [2.5, 1, 2.5]


def test_a_region_that_neither_map_holds_beats_a_false_positive_and_ties_with_its_like():
    assert ranks_of([[[np.nan]], [[0]], [[np.nan]]], "dice").final.tolist() == [1.5, 3, 1.5]
    assert ranks_of([[[373]], [[np.nan]]], "hd95").final.tolist() == [2, 1]


def test_the_quality_of_matches_is_worst_where_nothing_matched():
    assert ranks_of([[[np.nan]], [[0.1]]], "sq_dice").final.tolist() == [2, 1]


def test_a_missing_map_never_beats_a_map_by_its_errors():
    # The first submission has a map with two false positives, the second none; both miss three lesions
    assert ranks_of([[[2, 3]], [[np.nan, 3]]], "num_fp", "num_fn").final.tolist() == [1.25, 1.75]


def test_score_files_become_a_table(score_file):
    files = [score_file("a", dice=[0.1, 0.2], hd95=[1, "inf"]), score_file("b", dice=[0.3, 0.4], hd95=[3, 4])]
    table = tabulate(read_scores(files), counted_metrics("plain"))
    assert table.columns == (("WT", "dice"), ("WT", "hd95"))
    assert table.values.tolist() == [[[0.1, 1], [0.2, np.inf]], [[0.3, 3], [0.4, 4]]]


def test_a_metric_that_a_file_lacks_is_named_with_those_that_it_has(score_file):
    files = [score_file("a", dice=[0.1]), score_file("b", dice=[0.3])]
    with pytest.raises(UsageError, match=r"a has no hd95 of WT in case0; expected dice"):
        tabulate(read_scores(files), counted_metrics("plain"))
