"""Rank submissions on the same cases, and compare every two of them."""

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
"""Values that agree to so many decimals tie: equal maps then rank alike on every machine."""
PERMUTATIONS = 100_000
BATCH = 1_000
"""Permutations at a time: a few megabytes for hundreds of cases."""


@dataclass(frozen=True)
class ScoreTable:
    """The counted scores of submissions on the same cases."""

    submissions: tuple[str, ...]
    cases: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    """Region and metric."""
    values: np.ndarray
    """(submission, case, column)."""

    def mean(self, submission: int, metric: str) -> float:
        """Mean of a metric over the cases and regions where it is finite; nan without any."""
        chosen = [index for index, (_, name) in enumerate(self.columns) if name == metric]
        values = self.values[submission][:, chosen]
        finite = values[np.isfinite(values)]
        return float(finite.mean()) if finite.size else math.nan


@dataclass(frozen=True)
class Ranks:
    """Ranks from 1, the best."""

    by_case: np.ndarray
    """(submission, case): mean over columns, the organisers' cumulative rank divided by their number."""
    final: np.ndarray
    """Of each submission: mean over the cases."""
    places: np.ndarray
    """Of each submission, by the final rank; equals share the better place."""

    @property
    def order(self) -> list[int]:
        """Indices of the submissions, the best first."""
        return [int(index) for index in np.argsort(self.places, kind="stable")]


@dataclass(frozen=True)
class Pair:
    """Two submissions, the better ranked first."""

    better: str
    worse: str
    rank_gain: float
    """Difference of the final ranks, 0 for equals."""
    p_value: float
    gains: Mapping[str, Mapping[str, float]]
    """By region and metric: mean difference, better minus worse, over cases where both are finite; or nan."""
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


@dataclass(frozen=True)
class Ranking:
    """Submissions with their ranks, and the comparison of each pair."""

    profile: str
    challenge: str
    directions: Mapping[str, Direction]
    table: ScoreTable
    ranks: Ranks
    pairs: Sequence[Pair]
    seed: int
    differing: tuple[str, ...]
    """Libraries whose versions differ between the files."""

    def as_json(self) -> bytes:
        """Encode the ranking as indented JSON, UTF-8; numbers that are not finite become strings."""
        table, ranks = self.table, self.ranks
        content = {
            "profile": self.profile,
            "challenge": self.challenge,
            "metrics": {
                name: "higher is better" if direction.higher_is_better else "lower is better"
                for name, direction in self.directions.items()
            },
            "permutations": PERMUTATIONS,
            "seed": self.seed,
            "submissions": {
                table.submissions[index]: {
                    "place": int(ranks.places[index]),
                    "rank": float(ranks.final[index]),
                    "mean": {metric: table.mean(index, metric) for metric in self.directions},
                    "cases": dict(zip(table.cases, ranks.by_case[index].tolist(), strict=True)),
                }
                for index in ranks.order
            },
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
        text = json.dumps(_finite(content), indent=1, ensure_ascii=False) + "\n"
        return text.encode(errors="backslashreplace")


def rank_files(files: Sequence[Path], metrics: Sequence[str] = (), seed: int = 0) -> Ranking:
    """Rank the submissions of score files by the chosen metrics, or else by those of the profile.

    seed: of the random permutations. Raises UsageError for files that are unreadable or not comparable, and
    for unknown or absent metrics.
    """
    scores = read_scores(files)
    first = next(iter(scores.values()))
    directions = counted_metrics(first.profile, metrics)
    table = tabulate(scores, directions)
    ranks = rank(table, directions)
    pairs = compare(table, ranks, seed)
    versions = differing_versions(scores)
    return Ranking(first.profile, first.challenge, directions, table, ranks, pairs, seed, versions)


def tabulate(scores: Mapping[str, ScoreFile], directions: Mapping[str, Direction]) -> ScoreTable:
    """Collect the counted metrics of comparable score files.

    Raises UsageError for a file that lacks a metric; the message lists those that it has.
    """
    first = next(iter(scores.values()))
    columns = tuple((region, metric) for region in first.regions for metric in directions)
    values = np.empty((len(scores), len(first.cases), len(columns)))
    for submission, (name, score) in enumerate(scores.items()):
        for row, case in enumerate(first.cases):
            for column, (region, metric) in enumerate(columns):
                found = score.cases[case][region]
                if metric not in found:
                    raise UsageError(
                        f"{name} has no {metric} of {region} in {case}", expected=", ".join(found)
                    )
                value = found[metric]
                values[submission, row, column] = np.nan if value is None else value
    return ScoreTable(tuple(scores), tuple(first.cases), columns, values)


def rank(table: ScoreTable, directions: Mapping[str, Direction]) -> Ranks:
    """Rank every column of every case over the submissions, then average; ties share their mean rank.

    As the BraTS organisers do (Bakas et al. 2018, arXiv:1811.02629). inf is the worst distance and ties with
    inf; nan compares as the metric's direction defines and ties with nan.
    """
    losses = np.empty_like(table.values)
    for column, (_, metric) in enumerate(table.columns):
        direction, values = directions[metric], table.values[..., column]
        rounded = np.round(-values if direction.higher_is_better else values, DIGITS)
        undefined = -np.inf if direction.undefined == "best" else np.inf
        losses[..., column] = np.where(np.isnan(rounded), undefined, rounded)
    by_case = np.asarray(rankdata(losses, method="average", axis=0)).mean(axis=2)
    final = by_case.mean(axis=1)
    return Ranks(by_case, final, np.asarray(rankdata(final.round(DIGITS), method="min")).astype(int))


def compare(table: ScoreTable, ranks: Ranks, seed: int) -> list[Pair]:
    """Compare every two submissions, the best ranked first."""
    order = np.argsort(ranks.final.round(DIGITS), kind="stable")
    return [_compare(table, ranks, int(one), int(two), seed) for one, two in combinations(order, 2)]


def _compare(table: ScoreTable, ranks: Ranks, one: int, two: int, seed: int) -> Pair:
    rank_gains = (ranks.by_case[two] - ranks.by_case[one]).round(DIGITS)
    gains: dict[str, dict[str, float]] = {}
    for column, (region, metric) in enumerate(table.columns):
        first, second = table.values[one, :, column], table.values[two, :, column]
        both = np.isfinite(first) & np.isfinite(second)
        difference = float((first[both] - second[both]).mean()) if both.any() else np.nan
        gains.setdefault(region, {})[metric] = difference
    return Pair(
        better=table.submissions[one],
        worse=table.submissions[two],
        rank_gain=float(rank_gains.mean()),
        p_value=p_value(rank_gains, seed),
        gains=gains,
        cases={
            table.cases[index]: float(rank_gains[index]) for index in np.argsort(-rank_gains, kind="stable")
        },
    )


def p_value(rank_gains: np.ndarray, seed: int) -> float:
    """One-sided p-value of a permutation test: that two equals differ by so much in favour of the first.

    rank_gains: the difference of ranks in each case, positive where the first wins. As the BraTS organisers
    do, the two are swapped in random cases: in all 2^n ways up to PERMUTATIONS, else in that many random
    ones. 1 for a single case.
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


def _finite(value: Any) -> Any:
    """The same content with the name of each number that is not finite in its place."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
