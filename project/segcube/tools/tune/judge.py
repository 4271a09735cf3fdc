"""The judges of a tuning, at work side by side."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Self

import numpy as np

from segcube.core import Box, Shape
from segcube.spec.challenges import Challenge, LesionWise
from segcube.spec.submission import Fill, KeepComponents, Nest, Retry, Rule, Threshold
from segcube.tools.tune.cases import TuningCase, weighted_mean
from segcube.tools.tune.objective import Scorer
from segcube.tools.tune.search_space import Point, written_rules
from segcube.transforms import component_means, find_components, first_highest, kept_components, label_map


@dataclass(frozen=True)
class Blended:
    """Probabilities in memory, as the rules take them."""

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
        yield Box((0, 0, 0), self.shape), first_highest(self.values_kxyz)


class Judge:
    """A case and all that was found out about it.

    Points that decide alike about every component give one map, and maps that are alike in a region one
    score: each is made once, by the very functions that a run uses.
    """

    def __init__(self, case: TuningCase, challenge: Challenge, scorer: Scorer) -> None:
        self.case = case
        self._challenge = challenge
        metrics = challenge.metrics
        self._regions_meet = isinstance(metrics, LesionWise) and bool(metrics.relabel_touching)
        self._scorer = scorer
        self._values_kxyz = np.zeros(case.merged_kxyz.shape, dtype=np.float32)
        self._own_columns = tuple(zip(*case.weights, strict=True))
        self._columns: dict[int, tuple[float, ...]] = {}
        self._components: dict[Hashable, tuple[np.ndarray, np.ndarray]] = {}
        self._by_decision: dict[Hashable, Mapping[str, float]] = {}
        self._by_mask: dict[Hashable, float] = {}

    def scores(self, point: Point) -> Mapping[str, float]:
        """The score of each scored region. The point is sound."""
        decision = self._decision(point)
        if decision not in self._by_decision:
            labels_xyz = self.labels(point)
            self._by_decision[decision] = {
                region: self._score(region, labels_xyz) for region in self._challenge.scored
            }
        return self._by_decision[decision]

    def labels(self, point: Point) -> np.ndarray:
        """The label map of a point, (X, Y, Z) of the case's box: a run's own at the submission's values."""
        return label_map(self._blend(point), written_rules(point), self._challenge)

    def _decision(self, point: Point) -> Hashable:
        """What the map of a point depends on: bounds and weights, and which components each filter keeps."""
        touched: set[str] = set()
        parts: list[Hashable] = [point.weights, tuple(sorted(point.thresholds.items()))]
        for rule in point.rules:
            if isinstance(rule, KeepComponents) and rule.region not in touched:
                sizes, means = self._components_of(point, rule)
                held = rule.unless_holds.model_dump_json() if rule.unless_holds else None
                parts.append(
                    (rule.region, rule.connectivity, held, kept_components(sizes, means, rule).tobytes())
                )
            elif not isinstance(rule, Threshold):
                parts.append(rule.model_dump_json())
            touched |= _regions_changed(rule)
        return tuple(parts)

    def _components_of(self, point: Point, rule: KeepComponents) -> tuple[np.ndarray, np.ndarray]:
        """Sizes and mean probabilities of a thresholded region's components, an id each."""
        channel = self.case.names.index(rule.region)
        column = tuple(row[channel] for row in point.weights)
        threshold = point.thresholds[rule.region]
        key = (channel, column, threshold, rule.connectivity)
        if key not in self._components:
            values_xyz = self._channel(channel, column)
            components = find_components(values_xyz > threshold, rule.connectivity)
            alone = Blended((rule.region,), self.case.kind, values_xyz[None])
            self._components[key] = components.sizes, component_means(alone, rule.region, components)
        return self._components[key]

    def _blend(self, point: Point) -> Blended:
        for channel, column in enumerate(zip(*point.weights, strict=True)):
            self._channel(channel, column)
        return Blended(self.case.names, self.case.kind, self._values_kxyz)

    def _channel(self, channel: int, column: tuple[float, ...]) -> np.ndarray:
        """The weighted mean of a channel, (X, Y, Z), made again where its weights differ.

        At the submission's own weights it is the run's own, to the last bit: members are saved as float16.
        """
        values_xyz = self._values_kxyz[channel]
        if self._columns.get(channel) != column:
            if column == self._own_columns[channel]:
                values_xyz[...] = self.case.merged_kxyz[channel]
            else:
                weighted_mean(self.case.members_mkxyz[:, channel], column, values_xyz)
            self._columns[channel] = column
        return values_xyz

    def _score(self, region: str, labels_xyz: np.ndarray) -> float:
        values = [self._challenge.labels[label] for label in self._challenge.regions[region]]
        # Where touching tissue is relabelled, a region's score depends on the others as well
        seen = labels_xyz if self._regions_meet else np.packbits(np.isin(labels_xyz, values))
        key = (region, blake2b(seen.tobytes(), digest_size=16).digest())
        if key not in self._by_mask:
            self._by_mask[key] = self._scorer(region, labels_xyz)
        return self._by_mask[key]


def _regions_changed(rule: Rule) -> set[str]:
    match rule:
        case KeepComponents() | Retry():
            return {rule.region}
        case Nest():
            return set(rule.order)
        case Fill():
            return set(rule.regions)
        case _:
            return set()


class Panel:
    """Judges of several cases, at work side by side."""

    def __init__(self, judges: Sequence[Judge], threads: int) -> None:
        self.judges = tuple(judges)
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def scores(self, point: Point, chosen: Sequence[int]) -> list[Mapping[str, float]]:
        """Scores of the chosen cases, by index, a mapping from regions each."""
        return list(self._pool.map(lambda index: self.judges[index].scores(point), chosen))
