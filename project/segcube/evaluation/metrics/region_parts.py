"""The parts of each region, as an edition's rules make them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from segcube.evaluation.metrics.pair import Pair
from segcube.evaluation.metrics.parts import Parts, find_parts
from segcube.spec.challenges import Challenge, LesionRule, LesionWise

STEPS = [step for step in product((-1, 0, 1), repeat=3) if sum(map(abs, step)) <= 2]
"""A voxel and its 18 neighbours."""


def touching_pairs(parts: Parts, others: Parts) -> list[tuple[int, int]]:
    """Which part touches which other, sorted: they do where a voxel is among the other's 18 neighbours."""
    if parts.is_empty or others.is_empty:
        return []
    points = parts.border()
    numbers = parts.ids_xyz[tuple(points.T)].astype(np.int64) * len(others.sizes)
    padded_xyz = np.pad(others.ids_xyz, 1)
    strides = np.array([padded_xyz.shape[1] * padded_xyz.shape[2], padded_xyz.shape[2], 1])
    places = (points + 1) @ strides
    pairs: set[int] = set()
    for step in STEPS:
        met = padded_xyz.ravel()[places + int(strides @ step)]
        pairs.update(np.unique((numbers + met)[met > 0]).tolist())
    return sorted(divmod(pair, len(others.sizes)) for pair in pairs)


def united_by(parts: Parts, others: Parts) -> Parts:
    """Unite the parts that touch the same part of another tissue.

    A part goes with the lowest-numbered one that it touches; parts that touch none stay as they are. Fewer
    than two touching pairs change nothing. United parts get numbers above all earlier ones.
    """
    pairs = touching_pairs(parts, others)
    if len(pairs) < 2:
        return parts
    above = len(parts.sizes)
    fresh: dict[int, int] = {}
    number_of = np.arange(above, dtype=np.int64)
    for _, other in pairs:
        fresh.setdefault(other, above + len(fresh))
    # Backwards, so that the lowest of several has the last word
    for number, other in reversed(pairs):
        number_of[number] = fresh[other]
    return parts.relabelled(number_of)


class RegionParts:
    """The lesions and components of a pair, region by region."""

    def __init__(self, pair: Pair, challenge: Challenge, metrics: LesionWise) -> None:
        self._pair, self._challenge, self._metrics = pair, challenge, metrics
        self._tissues: dict[str, tuple[Parts, Parts]] = {}

    def of(self, region: str) -> tuple[Parts, Parts]:
        """The components of the prediction and the lesions of the reference.

        Tissues that the edition unites where they touch another are united, on each side by itself.
        """
        found, reference = self._unite(region, 0), self._unite(region, 1)
        return found, reference

    def _unite(self, region: str, side: int) -> Parts:
        rule = self._metrics.regions[region]
        parts = self._tissue(region, self._challenge.regions[region], rule)[side]
        others = self._metrics.relabel_touching.get(region, ())
        for other in others:
            # A tissue that is not scored itself goes by the rule of the one that it unites.
            partner = self._tissue(other, (other,), self._metrics.regions.get(other, rule))[side]
            parts = united_by(parts, partner)
        return parts.renumbered() if others else parts

    def _tissue(self, name: str, labels: Sequence[str], rule: LesionRule) -> tuple[Parts, Parts]:
        if name not in self._tissues:
            values = [self._challenge.labels[label] for label in labels]
            found_xyz, reference_xyz = self._pair.masks(values)
            self._tissues[name] = self._components(found_xyz, rule), find_parts(reference_xyz, rule.dilation)
        return self._tissues[name]

    def _components(self, found_xyz: np.ndarray, rule: LesionRule) -> Parts:
        parts = find_parts(found_xyz, rule.dilation if self._metrics.join_predictions else 0)
        if self._metrics.drop_predictions == "voxels":
            return parts.without(rule.threshold)
        if self._metrics.drop_predictions == "mm3":
            return parts.without(rule.threshold / self._pair.voxel_volume)
        return parts
