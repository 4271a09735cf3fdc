"""The search of a tuning: block by block, cross-validated over patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, product

import numpy as np

from segcube.core import cpu_count
from segcube.spec import split_by_patient
from segcube.tools.tune.inputs import Inputs, TuneRequest
from segcube.tools.tune.objective import CaseObjective
from segcube.tools.tune.region_scores import region_score_of
from segcube.tools.tune.search_space import Block, Point, SearchSpace, candidates

PASSES = 2
LEAST_GAIN = 1e-3
"""The mean score must gain so much for a value to change: less is noise, and own values have their
reasons."""

Scores = Sequence[Mapping[str, float]]
"""By region, for each of some cases."""
ScoreCases = Callable[[Point, Sequence[int]], Scores]
"""The scores at a point, for each of some cases by index."""
Log = Callable[[str], None]


def mean_score(scores: Scores) -> float:
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
    score_cases: ScoreCases, space: SearchSpace, start: Point, block: Block, chosen: Sequence[int]
) -> Point:
    def score(point: Point) -> float:
        return mean_score(score_cases(point, chosen)) if space.is_valid(point) else -math.inf

    best, highest = start, score(start)
    present = highest
    for values in product(*(candidates(start[name], values) for name, values in block.items())):
        point = {**start, **dict(zip(block, values, strict=True))}
        found = score(point)
        if found > highest:
            best, highest = point, found
    return best if highest - present >= LEAST_GAIN else start


@dataclass(frozen=True)
class Tuned:
    """The result of a tuning."""

    space: SearchSpace
    patients: tuple[str, ...]
    """Of each case."""
    fitted: Point
    """The best point for all cases together."""
    in_folds: tuple[Point, ...]
    """The fit of each fold; values that agree are more reliable."""
    before: Scores
    """Of every case, at the submission's own values."""
    after: Scores
    """Of every case while it was held out, at the values that were fitted to the other folds."""
    same: Scores
    """Of every case at the values that were fitted to all of them: too high for new cases."""

    @property
    def gain(self) -> float:
        """Mean gain of a held-out case."""
        return mean_score(self.after) - mean_score(self.before)

    @property
    def error(self) -> float:
        """Standard error of the gain over patients."""
        gains: dict[str, list[float]] = {}
        for patient, before, after in zip(self.patients, self.before, self.after, strict=True):
            gains.setdefault(patient, []).append(mean_score([after]) - mean_score([before]))
        means = [float(np.mean(values)) for values in gains.values()]
        return float(np.std(means, ddof=1)) / math.sqrt(len(means))

    @property
    def improves(self) -> bool:
        """Whether to use the fitted values: unseen cases gain by them, and by more than the gain's error."""
        return self.gain >= LEAST_GAIN and self.gain > self.error and self.fitted != self.space.start


def tune_cases(
    score_cases: ScoreCases, patients: Sequence[str], space: SearchSpace, folds: tuple[int, int], log: Log
) -> Tuned:
    """Search the space for the best mean score, cross-validated over patients.

    patients: of each case, in the order of the indices. folds: their number, and the seed of the random
    split. Raises UsageError for less than two patients.
    """
    after: dict[int, Mapping[str, float]] = {}
    points: list[Point] = []
    dealt = split_by_patient(patients, *folds, patients)
    everyone = range(len(patients))
    for number, fold in enumerate(dealt, start=1):
        log(f"fold {number} of {len(dealt)}")
        points.append(fit(score_cases, space, fold.training))
        after |= zip(fold.validation, score_cases(points[-1], fold.validation), strict=True)
    before = score_cases(space.start, everyone)
    log("all cases")
    fitted = fit(score_cases, space, everyone)
    same, unseen = score_cases(fitted, everyone), [after[index] for index in everyone]
    return Tuned(space, tuple(patients), fitted, tuple(points), before, unseen, same)


def tune_inputs(inputs: Inputs, request: TuneRequest, log: Log = lambda _: None) -> Tuned:
    """Tune a submission by the profile's objective. Raises UsageError for less than two patients."""
    cases = inputs.cases
    challenge = inputs.challenge
    objectives = [
        CaseObjective(case, challenge, region_score_of(case, challenge, inputs.metrics)) for case in cases
    ]
    with ThreadPoolExecutor(min(cpu_count(), len(cases))) as pool:

        def score_cases(point: Point, chosen: Sequence[int]) -> Scores:
            rules, weights = inputs.space.rules_at(point), inputs.space.weights_at(point)
            return list(pool.map(lambda index: objectives[index].scores(rules, weights), chosen))

        folds = request.folds, request.seed
        patients = [inputs.patient_of(case.name) for case in cases]
        return tune_cases(score_cases, patients, inputs.space, folds, log)
