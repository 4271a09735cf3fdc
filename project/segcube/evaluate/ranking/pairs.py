"""One submission against another: how much better, on which cases, and by chance or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import permutation_test

from segcube.evaluate.ranking.ranks import DIGITS, Ranks, ScoreTable

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
