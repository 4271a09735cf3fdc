"""The objective of a tuning: a case's scores at given rules and weights, with a cache."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np

from segcube.core import Box, Shape
from segcube.spec.challenges import Challenge, LesionWise
from segcube.spec.submission import Fill, KeepComponents, Nest, Retry, Rule, Threshold
from segcube.tools.tune.cases import TuningCase, weighted_mean
from segcube.tools.tune.search_space import Weights, active_rules, thresholds_of
from segcube.transforms import argmax, component_means, find_components, kept_components, label_map


@dataclass(frozen=True)
class HostProbabilities:
    """Probabilities in host memory, as the rules take them."""

    names: tuple[str, ...]
    kind: Literal["regions", "labels"]
    values_kxyz: np.ndarray

    @property
    def shape(self) -> Shape:
        x, y, z = self.values_kxyz.shape[1:]
        return x, y, z

    def slabs(self) -> Iterator[tuple[Box, np.ndarray]]:
        yield Box((0, 0, 0), self.shape), self.values_kxyz

    def indices(self) -> Iterator[tuple[Box, np.ndarray]]:
        yield Box((0, 0, 0), self.shape), argmax(self.values_kxyz)


class CaseObjective:
    """The scores of one case, computed by the functions of a run and cached.

    Points at which the filters keep the same components share a label map, and label maps with the same mask
    of a region share its score. region_score: scores a region by its name and the predicted labels.
    """

    def __init__(
        self, case: TuningCase, challenge: Challenge, region_score: Callable[[str, np.ndarray], float]
    ) -> None:
        self.case = case
        self._challenge = challenge
        self._region_score = region_score
        self._values_kxyz = np.zeros(case.merged_kxyz.shape, dtype=np.float32)
        self._columns: dict[int, tuple[float, ...]] = {}
        self._components: dict[Hashable, tuple[np.ndarray, np.ndarray]] = {}
        self._scores_by_decision: dict[Hashable, Mapping[str, float]] = {}
        self._scores_by_mask: dict[Hashable, float] = {}

    def scores(self, rules: Sequence[Rule], weights: Weights) -> Mapping[str, float]:
        """The score of each scored region; each channel needs a weight that is not 0."""
        decision = self._decision(rules, weights)
        if decision not in self._scores_by_decision:
            labels_xyz = self.labels(rules, weights)
            self._scores_by_decision[decision] = {
                region: self._score(region, labels_xyz) for region in self._challenge.scored
            }
        return self._scores_by_decision[decision]

    def labels(self, rules: Sequence[Rule], weights: Weights) -> np.ndarray:
        """The label map (X, Y, Z) of the case's box, equal to a run's at the submission's own values."""
        for channel, column in enumerate(zip(*weights, strict=True)):
            self._channel(channel, column)
        probabilities = HostProbabilities(self.case.names, self.case.kind, self._values_kxyz)
        return label_map(probabilities, active_rules(rules), self._challenge)

    def _decision(self, rules: Sequence[Rule], weights: Weights) -> Hashable:
        """All that determines the label map: thresholds, weights, and the components that each filter
        keeps."""
        thresholds = thresholds_of(rules)
        changed: set[str] = set()
        parts: list[Hashable] = [weights, tuple(sorted(thresholds.items()))]
        for rule in rules:
            if isinstance(rule, KeepComponents) and rule.region not in changed:
                channel = self.case.names.index(rule.region)
                column = tuple(row[channel] for row in weights)
                sizes, means = self._components_of(rule, channel, column, thresholds[rule.region])
                holds = rule.unless_holds.model_dump_json() if rule.unless_holds else None
                kept = kept_components(sizes, means, rule).tobytes()
                parts.append((rule.region, rule.connectivity, holds, kept))
            elif not isinstance(rule, Threshold):
                parts.append(rule.model_dump_json())
            if isinstance(rule, KeepComponents | Retry):
                changed.add(rule.region)
            elif isinstance(rule, Nest | Fill):
                changed.update(rule.order if isinstance(rule, Nest) else rule.regions)
        return tuple(parts)

    def _components_of(
        self, rule: KeepComponents, channel: int, column: tuple[float, ...], threshold: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Size and mean probability of each component of a thresholded region."""
        key = (channel, column, threshold, rule.connectivity)
        if key not in self._components:
            values_xyz = self._channel(channel, column)
            components = find_components(values_xyz > threshold, rule.connectivity)
            alone = HostProbabilities((rule.region,), self.case.kind, values_xyz[None])
            self._components[key] = components.sizes, component_means(alone, rule.region, components)
        return self._components[key]

    def _channel(self, channel: int, column: tuple[float, ...]) -> np.ndarray:
        """The weighted mean of a channel over members, (X, Y, Z), computed again where its weights differ.

        At the submission's own weights it is the run's to the last bit: members are saved as float16.
        """
        values_xyz = self._values_kxyz[channel]
        if self._columns.get(channel) != column:
            if column == tuple(row[channel] for row in self.case.weights):
                values_xyz[...] = self.case.merged_kxyz[channel]
            else:
                weighted_mean(self.case.members_mkxyz[:, channel], column, values_xyz)
            self._columns[channel] = column
        return values_xyz

    def _score(self, region: str, labels_xyz: np.ndarray) -> float:
        metrics = self._challenge.metrics
        # Where touching tissue is relabelled, a region's score depends on the other regions too
        interact = isinstance(metrics, LesionWise) and bool(metrics.relabel_touching)
        seen = (
            labels_xyz
            if interact
            else np.packbits(np.isin(labels_xyz, self._challenge.region_values(region)))
        )
        key = (region, blake2b(seen.tobytes(), digest_size=16).digest())
        if key not in self._scores_by_mask:
            self._scores_by_mask[key] = self._region_score(region, labels_xyz)
        return self._scores_by_mask[key]
