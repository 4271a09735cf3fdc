"""The parts of each region, as an edition's rules make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segcube.challenges import Challenge, LesionRule, LesionWise
from segcube.evaluate.pair import Pair
from segcube.evaluate.parts import Parts, find_parts
from segcube.evaluate.touching import united_by


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
