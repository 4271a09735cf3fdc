"""Search the knobs of a point on some cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Protocol

import numpy as np
from scipy.optimize import brute

from segcube.evaluate.tuning.knobs import Knob
from segcube.evaluate.tuning.point import Point

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
