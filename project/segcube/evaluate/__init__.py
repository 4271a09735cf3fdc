"""Scores of label maps."""

from segcube.evaluate.export import as_csv, as_json
from segcube.evaluate.folder import evaluate_folder
from segcube.evaluate.maps import choose_challenge
from segcube.evaluate.results import CaseScores, Evaluation, Lesion
from segcube.evaluate.score import PROFILES, metrics_of, score_labels
from segcube.evaluate.whole import dice

__all__ = [
    "PROFILES",
    "CaseScores",
    "Evaluation",
    "Lesion",
    "as_csv",
    "as_json",
    "choose_challenge",
    "dice",
    "evaluate_folder",
    "metrics_of",
    "score_labels",
]
