"""Rank submissions on the same cases, and compare every two of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import permutation_test, rankdata

from segcube.core import UsageError
from segcube.evaluation import Direction, counted_metrics, encode_json
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
        """Mean of a metric over cases and regions, as `evaluate` takes it: inf counts, nan is left out.

        nan where no case has a value.
        """
        chosen = [index for index, (_, name) in enumerate(self.columns) if name == metric]
        values = self.values[submission][:, chosen]
        defined = values[~np.isnan(values)]
        return float(defined.mean()) if defined.size else math.nan


@dataclass(frozen=True)
class Place:
    """The result of a submission."""

    place: int
    """From 1, the best; equals share the better place."""
    rank: float
    """Mean over the cases."""
    mean: Mapping[str, float]
    """By metric."""
    cases: Mapping[str, float]
    """Rank in each case: the mean over regions and metrics."""


@dataclass(frozen=True)
class Pair:
    """Two submissions, the better ranked first."""

    better: str
    worse: str
    rank_gain: float
    """Difference of the ranks, 0 for equals."""
    p_value: float
    wins: int
    """Cases where the better one is ranked better."""
    losses: int
    """Cases where the worse one is ranked better."""
    gains: Mapping[str, Mapping[str, float]]
    """By region and metric: mean difference, better minus worse, over cases where both are finite; or nan."""
    cases: Mapping[str, float]
    """Difference of the ranks in each case, positive where the better one wins, largest first."""


@dataclass(frozen=True)
class Ranking:
    """Submissions with their places, the best first, and the comparison of each pair."""

    profile: str
    challenge: str
    directions: Mapping[str, Direction]
    places: Mapping[str, Place]
    pairs: Sequence[Pair]
    seed: int
    differing: tuple[str, ...]
    """Libraries whose versions differ between the files."""

    def as_json(self) -> bytes:
        """Encode the ranking as indented JSON, UTF-8; numbers that are not finite become strings."""
        high, low = "higher is better", "lower is better"
        return encode_json(
            {
                "profile": self.profile,
                "challenge": self.challenge,
                "metrics": {name: high if d.higher_is_better else low for name, d in self.directions.items()},
                "permutations": PERMUTATIONS,
                "seed": self.seed,
                "submissions": {name: asdict(place) for name, place in self.places.items()},
                "pairs": [asdict(pair) for pair in self.pairs],
            }
        )


def rank_files(files: Sequence[Path], metrics: Sequence[str] = (), seed: int = 0) -> Ranking:
    """Rank the submissions of score files by the chosen metrics, or else by those of the profile.

    seed: of the random permutations. Raises UsageError for files that are unreadable or not comparable, and
    for unknown or absent metrics.
    """
    scores = read_scores(files)
    first = next(iter(scores.values()))
    directions = counted_metrics(first.profile, metrics)
    table = tabulate(scores, directions)
    by_case = rank_cases(table, directions)
    ranks = by_case.mean(axis=1)
    numbers = np.asarray(rankdata(ranks.round(DIGITS), method="min")).astype(int)
    order = [int(index) for index in np.argsort(numbers, kind="stable")]
    places = {
        table.submissions[index]: Place(
            int(numbers[index]),
            float(ranks[index]),
            {metric: table.mean(index, metric) for metric in directions},
            dict(zip(table.cases, by_case[index].tolist(), strict=True)),
        )
        for index in order
    }
    pairs = [compare(table, by_case, one, two, seed) for one, two in combinations(order, 2)]
    versions = differing_versions(scores)
    return Ranking(first.profile, first.challenge, directions, places, pairs, seed, versions)


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
                    missing = f"{name} has no {metric} of {region} in {case}"
                    raise UsageError(missing, expected=", ".join(found))
                value = found[metric]
                values[submission, row, column] = np.nan if value is None else value
    return ScoreTable(tuple(scores), tuple(first.cases), columns, values)


def rank_cases(table: ScoreTable, directions: Mapping[str, Direction]) -> np.ndarray:
    """Rank every column of every case over the submissions, then average: (submission, case), 1 is best.

    As the BraTS organisers do (Bakas et al. 2018, arXiv:1811.02629). Ties share their mean rank. inf is the
    worst distance and ties with inf; nan compares as the metric's direction defines and ties with nan.
    """
    losses = np.empty_like(table.values)
    for column, (_, metric) in enumerate(table.columns):
        direction, values = directions[metric], table.values[..., column]
        rounded = np.round(-values if direction.higher_is_better else values, DIGITS)
        undefined = -np.inf if direction.undefined == "best" else np.inf
        losses[..., column] = np.where(np.isnan(rounded), undefined, rounded)
    return np.asarray(rankdata(losses, method="average", axis=0)).mean(axis=2)


def compare(table: ScoreTable, by_case: np.ndarray, better: int, worse: int, seed: int) -> Pair:
    """Compare two submissions, by index. by_case: the ranks of `rank_cases`."""
    rank_gains = (by_case[worse] - by_case[better]).round(DIGITS)
    gains: dict[str, dict[str, float]] = {}
    for column, (region, metric) in enumerate(table.columns):
        first, second = table.values[better, :, column], table.values[worse, :, column]
        both = np.isfinite(first) & np.isfinite(second)
        difference = float((first[both] - second[both]).mean()) if both.any() else math.nan
        gains.setdefault(region, {})[metric] = difference
    order = np.argsort(-rank_gains, kind="stable")
    return Pair(
        table.submissions[better],
        table.submissions[worse],
        float(rank_gains.mean()),
        p_value(rank_gains, seed),
        int(np.count_nonzero(rank_gains > 0)),
        int(np.count_nonzero(rank_gains < 0)),
        gains,
        {table.cases[index]: float(rank_gains[index]) for index in order},
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
