"""A ranking of submissions, from their score files to its JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import permutation_test, rankdata

from segcube.core import UsageError
from segcube.evaluation import Direction, counted_metrics
from segcube.tools.rank.scores import ScoreFile, differing_versions, read_scores

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


PERMUTATIONS = 100_000
BATCH = 1_000
"""Permutations at a time: memory stays at a few megabytes for hundreds of cases."""


@dataclass(frozen=True)
class Pair:
    """Two submissions, the better ranked first."""

    better: str
    worse: str
    rank_gain: float
    """Difference of the final ranks, 0 for equals."""
    p_value: float
    gains: Mapping[str, Mapping[str, float]]
    """Region, metric: mean difference, better minus worse, over the cases where both are finite; else nan."""
    cases: Mapping[str, float]
    """Difference of the ranks in each case, positive where the better one wins, largest first."""

    @property
    def wins(self) -> int:
        """Cases where the better one is ranked better."""
        return sum(gain > 0 for gain in self.cases.values())

    @property
    def losses(self) -> int:
        """Cases where the worse one is ranked better."""
        return sum(gain < 0 for gain in self.cases.values())


def compare(table: ScoreTable, ranks: Ranks, seed: int) -> list[Pair]:
    """Compare every two submissions, the best ranked first."""
    order = np.argsort(ranks.final.round(DIGITS), kind="stable")
    return [_pair(table, ranks, int(one), int(two), seed) for one, two in combinations(order, 2)]


def chance(rank_gains: np.ndarray, seed: int) -> float:
    """How probably two equals differ by so much or more in favour of the first: a one-sided p-value.

    rank_gains: the difference of ranks in each case, positive where the first wins. The two change places in
    cases at random, as the BraTS organisers permute each subject's cumulative ranks: in all 2^n ways where
    those are no more than PERMUTATIONS, else in that many random ones. A single case tells nothing: 1.
    """
    if len(rank_gains) < 2:
        return 1.0
    result = permutation_test(
        (rank_gains,),
        lambda gains, axis: gains.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=PERMUTATIONS,
        batch=BATCH,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def _pair(table: ScoreTable, ranks: Ranks, one: int, two: int, seed: int) -> Pair:
    rank_gains = (ranks.by_case[two] - ranks.by_case[one]).round(DIGITS)
    order = np.argsort(-rank_gains, kind="stable")
    return Pair(
        better=table.submissions[one],
        worse=table.submissions[two],
        rank_gain=float(rank_gains.mean()),
        p_value=chance(rank_gains, seed),
        gains=_gains(table, one, two),
        cases={table.cases[index]: float(rank_gains[index]) for index in order},
    )


def _gains(table: ScoreTable, one: int, two: int) -> dict[str, dict[str, float]]:
    gains: dict[str, dict[str, float]] = {}
    for column, (region, metric) in enumerate(table.columns):
        first, second = table.values[one, :, column], table.values[two, :, column]
        both = np.isfinite(first) & np.isfinite(second)
        difference = float((first[both] - second[both]).mean()) if both.any() else np.nan
        gains.setdefault(region, {})[metric] = difference
    return gains


@dataclass(frozen=True)
class Ranking:
    """Submissions ranked, and each pair of them compared."""

    profile: str
    challenge: str
    directions: Mapping[str, Direction]
    table: ScoreTable
    ranks: Ranks
    pairs: Sequence[Pair]
    seed: int
    differing: tuple[str, ...]
    """Libraries whose versions differ between the files."""

    @property
    def order(self) -> list[int]:
        """Indices of the submissions, the best first."""
        return [int(index) for index in np.argsort(self.ranks.places, kind="stable")]

    def mean(self, submission: int, metric: str) -> float:
        """Mean of a metric over the cases and regions where it is finite; nan if it is nowhere."""
        chosen = [index for index, (_, name) in enumerate(self.table.columns) if name == metric]
        values = self.table.values[submission][:, chosen]
        finite = values[np.isfinite(values)]
        return float(finite.mean()) if finite.size else math.nan

    def as_json(self) -> bytes:
        """The ranking as indented JSON, UTF-8; numbers that are not finite stand as strings."""
        return (json.dumps(_plain(self._content()), indent=1, ensure_ascii=False) + "\n").encode(
            errors="backslashreplace"
        )

    def _content(self) -> dict[str, Any]:
        return {
            "profile": self.profile,
            "challenge": self.challenge,
            "metrics": {
                name: "higher is better" if direction.higher_is_better else "lower is better"
                for name, direction in self.directions.items()
            },
            "permutations": PERMUTATIONS,
            "seed": self.seed,
            "submissions": {self.table.submissions[index]: self._submission(index) for index in self.order},
            "pairs": [
                {
                    "better": pair.better,
                    "worse": pair.worse,
                    "rank_gain": pair.rank_gain,
                    "p_value": pair.p_value,
                    "wins": pair.wins,
                    "losses": pair.losses,
                    "gains": pair.gains,
                    "cases": pair.cases,
                }
                for pair in self.pairs
            ],
        }

    def _submission(self, index: int) -> dict[str, Any]:
        return {
            "place": int(self.ranks.places[index]),
            "rank": float(self.ranks.final[index]),
            "mean": {metric: self.mean(index, metric) for metric in self.directions},
            "cases": dict(zip(self.table.cases, self.ranks.by_case[index].tolist(), strict=True)),
        }


def rank_files(files: Sequence[Path], metrics: Sequence[str] = (), seed: int = 0) -> Ranking:
    """Rank the submissions of score files by the profile's metrics, or by those asked for.

    seed: of the random permutations. Raises UsageError for files that cannot be read or do not compare, and
    for metrics that are not known or absent.
    """
    scores = read_scores(files)
    first = next(iter(scores.values()))
    directions = counted_metrics(first.profile, metrics)
    table = tabulate(scores, directions)
    ranks = rank(table, directions)
    pairs = compare(table, ranks, seed)
    differing = differing_versions(scores)
    return Ranking(first.profile, first.challenge, directions, table, ranks, pairs, seed, differing)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
