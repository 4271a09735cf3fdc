"""Search thresholds, filters and weights on saved probabilities, cross-validated over patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import numpy as np

from segcube.core import cpu_count
from segcube.spec import Fold, patient_of, split_by_patient
from segcube.spec.challenges import Challenge
from segcube.tools.tune.cases import TuningCase
from segcube.tools.tune.inputs import Inputs, TuneRequest
from segcube.tools.tune.objective import CaseObjective
from segcube.tools.tune.region_scores import RegionScore, region_score_of
from segcube.tools.tune.search_space import Parameter, Point, SearchSpace

PASSES = 2
LEAST_GAIN = 1e-3
"""The mean score must gain so much for a value to change: less is noise, and own values have their
reasons."""

ScoreCases = Callable[[Point, Sequence[int]], list[Mapping[str, float]]]
"""The scores by region at a point, for each of some cases by index."""
Log = Callable[[str], None]


def mean_score(scores: Sequence[Mapping[str, float]]) -> float:
    """Mean over cases and regions."""
    return float(np.mean(list(chain.from_iterable(case.values() for case in scores))))


def fit(score_cases: ScoreCases, space: SearchSpace, chosen: Sequence[int]) -> Point:
    """Find the point of the best mean score over the chosen cases, block by block, in two passes.

    Of equal values, the one nearest to the present value wins. Without a case it is the start.
    """
    point = space.start
    for _ in range(PASSES if chosen else 0):
        before = point
        for block in space.blocks:
            point = _best_of_block(score_cases, space, point, block, chosen)
        if point == before:
            break
    return point


def _best_of_block(
    score_cases: ScoreCases,
    space: SearchSpace,
    start: Point,
    block: Sequence[Parameter],
    chosen: Sequence[int],
) -> Point:
    def score(point: Point) -> float:
        return mean_score(score_cases(point, chosen)) if space.is_valid(point) else -math.inf

    best, present = start, score(start)
    highest = present
    names = [parameter.name for parameter in block]
    for values in product(*(parameter.candidates(start) for parameter in block)):
        point = {**start, **dict(zip(names, values, strict=True))}
        found = score(point)
        if found > highest:
            best, highest = point, found
    return best if highest - present >= LEAST_GAIN else start


@dataclass(frozen=True)
class HeldOut:
    """Scores of every case while it was held out."""

    cases: tuple[str, ...]
    before: Sequence[Mapping[str, float]]
    """By region, at the submission's own values."""
    after: Sequence[Mapping[str, float]]
    """By region, at the values that were fitted to the other folds."""
    points: tuple[Point, ...]
    """The fit of each fold."""

    @property
    def gain(self) -> float:
        """Mean gain of a held-out case."""
        return mean_score(self.after) - mean_score(self.before)

    @property
    def error(self) -> float:
        """Standard error of the gain over patients."""
        gains: dict[str, list[float]] = {}
        for case, before, after in zip(self.cases, self.before, self.after, strict=True):
            gains.setdefault(patient_of(case), []).append(mean_score([after]) - mean_score([before]))
        means = [float(np.mean(values)) for values in gains.values()]
        return float(np.std(means, ddof=1)) / math.sqrt(len(means))

    @property
    def is_significant(self) -> bool:
        """Whether the gain is worth a change, and larger than its standard error."""
        return self.gain >= LEAST_GAIN and self.gain > self.error

    def regions(self) -> dict[str, tuple[float, float]]:
        """Mean score of each region, before and after."""
        return {
            region: (
                float(np.mean([scores[region] for scores in self.before])),
                float(np.mean([scores[region] for scores in self.after])),
            )
            for region in self.before[0]
        }


def cross_validate(
    score_cases: ScoreCases, cases: Sequence[str], space: SearchSpace, folds: Sequence[Fold], log: Log
) -> HeldOut:
    """Fit to each fold's cases and score those that it holds out.

    cases: names, in the order of the folds' indices; each is held out once.
    """
    after: dict[int, Mapping[str, float]] = {}
    points: list[Point] = []
    for number, fold in enumerate(folds, start=1):
        log(f"fold {number} of {len(folds)}")
        points.append(fit(score_cases, space, fold.training))
        after |= zip(fold.validation, score_cases(points[-1], fold.validation), strict=True)
    everyone = range(len(cases))
    before = score_cases(space.start, everyone)
    return HeldOut(tuple(cases), before, [after[index] for index in everyone], tuple(points))


@dataclass(frozen=True)
class Change:
    """A parameter whose value was tuned."""

    name: str
    before: Any
    after: Any
    in_folds: tuple[Any, ...]
    """The fit of each fold; values that agree are more reliable."""


@dataclass(frozen=True)
class Tuned:
    """The result of a tuning."""

    space: SearchSpace
    fitted: Point
    """The best point for all cases together."""
    held_out: HeldOut
    score_fitted: float
    """At `fitted`, on the cases that it was fitted to: higher than an unseen case's."""

    @property
    def improves(self) -> bool:
        """Whether to use the fitted values: unseen cases gain by them."""
        return self.held_out.is_significant and self.fitted != self.space.start

    @property
    def point(self) -> Point:
        """The values to use: the fitted ones, or else the submission's own."""
        return self.fitted if self.improves else self.space.start

    @property
    def changes(self) -> tuple[Change, ...]:
        """The parameters whose fitted values differ from the start, in the order of the search."""
        names = dict.fromkeys(parameter.name for block in self.space.blocks for parameter in block)
        return tuple(
            Change(name, before, after, tuple(point[name] for point in self.held_out.points))
            for name in names
            if (before := self.space.start[name]) != (after := self.fitted[name])
        )


def tune_cases(
    cases: Sequence[TuningCase],
    space: SearchSpace,
    challenge: Challenge,
    score_of: Callable[[TuningCase], RegionScore],
    folds: tuple[int, int],
    log: Log = lambda _: None,
) -> Tuned:
    """Search the space for the best mean score, cross-validated over patients.

    score_of: makes the region score of a case. folds: their number, and the seed of the random split. Raises
    UsageError for less than two patients.
    """
    names = [case.name for case in cases]
    dealt = split_by_patient(names, *folds)
    objectives = [CaseObjective(case, challenge, score_of(case)) for case in cases]
    with ThreadPoolExecutor(max(1, min(cpu_count(), len(cases)))) as pool:

        def score_cases(point: Point, chosen: Sequence[int]) -> list[Mapping[str, float]]:
            rules, weights = space.rules_at(point), space.weights_at(point)
            return list(pool.map(lambda index: objectives[index].scores(rules, weights), chosen))

        held_out = cross_validate(score_cases, names, space, dealt, log)
        log("all cases")
        everyone = range(len(cases))
        fitted = fit(score_cases, space, everyone)
        return Tuned(space, fitted, held_out, mean_score(score_cases(fitted, everyone)))


def tune_inputs(inputs: Inputs, request: TuneRequest, log: Log = lambda _: None) -> Tuned:
    """Tune a submission by the profile's objective. Raises UsageError for less than two patients."""

    def score_of(case: TuningCase) -> RegionScore:
        return region_score_of(case, inputs.challenge, inputs.metrics)

    folds = request.folds, request.seed
    return tune_cases(inputs.cases, inputs.space, inputs.challenge, score_of, folds, log)
