from types import SimpleNamespace

from segcube.training.run.collect import card
from segcube.training.run.validate import FoldScores


def scores_of(cases, distance):
    mean = {"WT": {"dice": 0.5, "hd95": distance}}
    return FoldScores.model_construct(
        checkpoint="final", sha256="0" * 64, profile="brats", cases=cases, problems=0, mean=mean
    )


def row_of_all(scores):
    table = card._scores(list(scores), SimpleNamespace(scores=scores))
    return table.splitlines()[-1]


def test_the_mean_over_folds_is_weighted_by_their_cases():
    assert row_of_all({0: scores_of(1, 2.0), 1: scores_of(3, 4.0)}) == "| all | 4 | 0.500 | 3.500 |"


def test_a_fold_whose_mean_is_not_finite_leaves_none_over_all_folds():
    assert row_of_all({0: scores_of(1, 2.0), 1: scores_of(3, None)}) == "| all | 4 | 0.500 | - |"
