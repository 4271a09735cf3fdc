"""Rank submissions case by case, region by region, metric by metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from segcube.errors import UsageError
from segcube.evaluate.metrics import Direction
from segcube.evaluate.ranking.scores import ScoreFile

DIGITS = 9
"""Values that agree to so many decimals tie: equal maps are equal on every machine."""


@dataclass(frozen=True)
class ScoreTable:
    """The counted scores of submissions on the same cases."""

    submissions: tuple[str, ...]
    cases: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    """Region and metric."""
    values: np.ndarray
    """(submission, case, column)."""


@dataclass(frozen=True)
class Ranks:
    """Ranks from 1, the best."""

    by_case: np.ndarray
    """Mean over regions and metrics: (submission, case). The organisers' cumulative rank over its columns."""
    final: np.ndarray
    """Mean over the cases, a submission each."""
    places: np.ndarray
    """Places by the final rank, a submission each; equals share the better one."""


def tabulate(scores: Mapping[str, ScoreFile], directions: Mapping[str, Direction]) -> ScoreTable:
    """Lay the counted metrics of comparable score files side by side.

    Raises UsageError when a file lacks a metric, naming the ones that it has.
    """
    first = next(iter(scores.values()))
    columns = tuple((region, metric) for region in first.regions for metric in directions)
    values = np.array(
        [
            [[_value(name, score, case, *column) for column in columns] for case in first.cases]
            for name, score in scores.items()
        ]
    )
    return ScoreTable(tuple(scores), tuple(first.cases), columns, values)


def rank(table: ScoreTable, directions: Mapping[str, Direction]) -> Ranks:
    """Rank every column of every case over the submissions, then average; ties share their mean rank.

    The BraTS organisers' way (Bakas et al. 2018, arXiv:1811.02629). inf is the worst distance and ties with
    inf; nan stands as the metric's direction says and ties with nan.
    """
    losses = np.stack(
        [
            _loss(table.values[..., column], directions[metric])
            for column, (_, metric) in enumerate(table.columns)
        ],
        axis=-1,
    )
    by_case = np.asarray(rankdata(losses, method="average", axis=0)).mean(axis=2)
    final = by_case.mean(axis=1)
    return Ranks(by_case, final, np.asarray(rankdata(final.round(DIGITS), method="min")).astype(int))


def _loss(values: np.ndarray, direction: Direction) -> np.ndarray:
    """Values turned so that less is better, nan at its end of the scale."""
    undefined = -np.inf if direction.undefined == "best" else np.inf
    losses = np.round(-values if direction.higher_is_better else values, DIGITS)
    return np.where(np.isnan(losses), undefined, losses)


def _value(name: str, score: ScoreFile, case: str, region: str, metric: str) -> float:
    metrics = score.cases[case][region]
    if metric not in metrics:
        raise UsageError(f"{name} has no {metric} of {region} in {case}", expected=", ".join(metrics))
    value = metrics[metric]
    return np.nan if value is None else value
