"""What an unseen case gains: fit on some patients, judge on others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from scipy.optimize import brute

from segcube.spec import Fold, patient_of
from segcube.tools.tune.search_space import Knob, Point

PASSES = 2
LEAST_GAIN = 1e-3
"""A knob is turned only where the mean score gains so much: less is noise, and own values have a reason."""


class Scores(Protocol):
    """Scores of cases at a point, such as a panel's."""

    def scores(self, point: Point, chosen: Sequence[int]) -> list[Mapping[str, float]]:
        """A mapping from regions to scores for each chosen case."""
        ...


def fit(panel: Scores, start: Point, blocks: Sequence[tuple[Knob, ...]], chosen: Sequence[int]) -> Point:
    """The point of the best mean score over the chosen cases: every grid of a block, block by block, twice.

    Of equal values the nearest to the present one is taken. No case at all gives `start`.
    """
    if not chosen:
        return start
    point = start
    for _ in range(PASSES):
        before = point
        for block in blocks:
            point = _search(panel, point, block, chosen)
        if point == before:
            break
    return point


def mean_score(scores: Sequence[Mapping[str, float]]) -> float:
    """Mean over cases and regions."""
    return float(np.mean(list(chain.from_iterable(case.values() for case in scores))))


def _search(panel: Scores, start: Point, block: tuple[Knob, ...], chosen: Sequence[int]) -> Point:
    values = [knob.values(start) for knob in block]

    def turned(indices: np.ndarray) -> Point:
        point = start
        for knob, own, index in zip(block, values, np.atleast_1d(indices), strict=True):
            point = knob.turn(point, own[int(index)])
        return point

    def loss(indices: np.ndarray) -> float:
        point = turned(indices)
        return -mean_score(panel.scores(point, chosen)) if point.sound else np.inf

    present = loss(np.zeros(len(block)))
    ranges = tuple(slice(0, len(own), 1) for own in values)
    best, least, *_ = brute(loss, ranges, full_output=True, finish=None)
    return turned(best) if present - least >= LEAST_GAIN else start


OnFold = Callable[[int, int], None]
"""Told the number of a fold that begins, from 1, and how many there are."""


@dataclass(frozen=True)
class HeldOut:
    """Scores of every case while it was held out."""

    cases: tuple[str, ...]
    before: Sequence[Mapping[str, float]]
    """By region, at the submission's own values."""
    after: Sequence[Mapping[str, float]]
    """By region, at the values that were fitted to the other folds."""
    points: tuple[Point, ...]
    """What each fold was fitted to."""

    @property
    def gain(self) -> float:
        """Mean gain of an unseen case."""
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
    def convinces(self) -> bool:
        """Whether the gain is worth a change, and larger than its own standard error."""
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
    panel: Scores,
    cases: Sequence[str],
    start: Point,
    blocks: Sequence[tuple[Knob, ...]],
    folds: Sequence[Fold],
    on_fold: OnFold = lambda _, __: None,
) -> HeldOut:
    """Fit on each fold's cases and score those that it holds out.

    cases: names, in the order of the folds' indices; each is held out once.
    """
    after: dict[int, Mapping[str, float]] = {}
    points: list[Point] = []
    for number, fold in enumerate(folds, start=1):
        on_fold(number, len(folds))
        points.append(fit(panel, start, blocks, fold.fitted))
        after |= zip(fold.held_out, panel.scores(points[-1], fold.held_out), strict=True)
    everyone = range(len(cases))
    before = panel.scores(start, everyone)
    return HeldOut(tuple(cases), before, [after[index] for index in everyone], tuple(points))
