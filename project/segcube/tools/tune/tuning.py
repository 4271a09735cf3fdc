"""Tune the values of a submission on saved probabilities."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcube.spec import split
from segcube.spec.challenges import Challenge
from segcube.tools.tune.cases import TuningCase
from segcube.tools.tune.crossvalidation import HeldOut, cross_validate, fit, mean_score
from segcube.tools.tune.inputs import Inputs, TuneRequest
from segcube.tools.tune.judge import Judge, Panel
from segcube.tools.tune.objective import Scorer, region_scorer
from segcube.tools.tune.search_space import Knob, Point, knob_blocks

Say = Callable[[str], None]


@dataclass(frozen=True)
class Change:
    """A value that was tuned."""

    name: str
    before: Any
    after: Any
    in_folds: tuple[Any, ...]
    """What each fold alone would have chosen: values that agree are worth more."""


@dataclass(frozen=True)
class Tuned:
    """What a tuning found."""

    start: Point
    fitted: Point
    """The best point for all cases together."""
    held_out: HeldOut
    score_fitted: float
    """Of `fitted`, on the cases that it was fitted to: more than an unseen case gets."""
    changes: tuple[Change, ...]

    @property
    def point(self) -> Point:
        """The point to use: the submission's own unless unseen cases gain by another."""
        return self.fitted if self.held_out.convinces else self.start


def tune_cases(
    cases: Sequence[TuningCase],
    start: Point,
    members: Sequence[str],
    challenge: Challenge,
    scorer_of: Callable[[TuningCase], Scorer],
    folds: tuple[int, int],
    say: Say = lambda _: None,
) -> Tuned:
    """Search thresholds, filters and weights, cross-validated over patients.

    members: files whose weights are searched, none where they stay. scorer_of: makes the scorer of a case.
    folds: how many, and the seed that deals the patients. Raises UsageError for less than two patients.
    """
    names = [case.name for case in cases]
    dealt = split(names, *folds)
    blocks = knob_blocks(start, cases[0].names, members)
    with Panel(
        [Judge(case, challenge, scorer_of(case)) for case in cases], threads=_threads(len(cases))
    ) as panel:
        held_out = cross_validate(
            panel, names, start, blocks, dealt, lambda number, count: say(f"fold {number} of {count}")
        )
        say("all cases")
        everyone = range(len(cases))
        fitted = fit(panel, start, blocks, everyone)
        score_fitted = mean_score(panel.scores(fitted, everyone))
    return Tuned(start, fitted, held_out, score_fitted, _changes(start, fitted, held_out.points, blocks))


def tune_inputs(inputs: Inputs, request: TuneRequest, say: Say = lambda _: None) -> Tuned:
    """Tune what was read, against the profile's score. Raises UsageError for less than two patients."""

    def scorer_of(case: TuningCase) -> Scorer:
        return region_scorer(case, inputs.challenge, inputs.metrics)

    folds = request.folds, request.seed
    return tune_cases(inputs.cases, inputs.start, inputs.members, inputs.challenge, scorer_of, folds, say)


def _changes(
    start: Point, fitted: Point, points: Sequence[Point], blocks: Sequence[tuple[Knob, ...]]
) -> tuple[Change, ...]:
    knobs: Mapping[str, Knob] = {knob.name: knob for block in blocks for knob in block}
    return tuple(
        Change(name, knob.value(start), knob.value(fitted), tuple(knob.value(point) for point in points))
        for name, knob in knobs.items()
        if knob.value(start) != knob.value(fitted)
    )


def _threads(cases: int) -> int:
    return max(1, min(len(os.sched_getaffinity(0)), cases))
