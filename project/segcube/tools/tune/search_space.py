"""What a search may turn, and through which values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from segcube.spec.submission import KeepComponents, Rule, Threshold

HALF = 0.5

Weights = tuple[tuple[float, ...], ...]
"""A row a member, a column a channel of the stage."""


@dataclass(frozen=True)
class Point:
    """Rules and weights to try, laid out so that every one that is searched has its place."""

    rules: tuple[Rule, ...]
    weights: Weights

    @property
    def thresholds(self) -> dict[str, float]:
        """The bound of each region; none for a stage of labels."""
        return {
            name: at for rule in self.rules if isinstance(rule, Threshold) for name, at in rule.at.items()
        }

    @property
    def sound(self) -> bool:
        """Whether each channel has a member that speaks for it."""
        return all(any(column) for column in zip(*self.weights, strict=True))


def starting_point(
    rules: Sequence[Rule], names: Sequence[str], kind: Literal["regions", "labels"], weights: Weights
) -> Point:
    """Lay out a submission's own rules: a threshold and a filter for each region, idle where it has none.

    Added filters stand right after the thresholds, before what a rule may look at. A stage of labels has its
    rules as they are.
    """
    if kind == "labels":
        return Point(tuple(rules), weights)
    own = {name: at for rule in rules if isinstance(rule, Threshold) for name, at in rule.at.items()}
    threshold = Threshold(rule="threshold", at={name: own.get(name, HALF) for name in names})
    filtered = {rule.region for rule in rules if isinstance(rule, KeepComponents)}
    added = [KeepComponents(rule="keep_components", region=name) for name in names if name not in filtered]
    others = [rule for rule in rules if not isinstance(rule, Threshold)]
    return Point((threshold, *added, *others), weights)


def written_rules(point: Point) -> tuple[Rule, ...]:
    """The rules as a submission writes them, filters that keep everything left out."""
    return tuple(rule for rule in point.rules if not (isinstance(rule, KeepComponents) and is_idle(rule)))


def is_idle(rule: KeepComponents) -> bool:
    """Whether a filter keeps every component."""
    return rule.min_voxels <= 1 and rule.min_mean_probability == 0 and rule.max_count is None


def written_weights(
    point: Point, members: Sequence[str], names: Sequence[str]
) -> Mapping[str, Mapping[str, float]]:
    """The weight of each member, by its file, in each channel."""
    return {
        member: dict(zip(names, row, strict=True)) for member, row in zip(members, point.weights, strict=True)
    }


LOWEST, HIGHEST = 0.1, 0.9
COARSE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FINE = 0.05
FILTERS: dict[str, tuple[Any, ...]] = {
    "min_voxels": (0, 10, 25, 50, 100, 200, 400),
    "min_mean_probability": (0.0, 0.5, 0.6, 0.7, 0.8, 0.9),
    "max_count": (None, 1, 2, 3, 5, 10),
}
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)

Field = Literal["min_voxels", "min_mean_probability", "max_count"]


class Knob(Protocol):
    """One number of a point."""

    @property
    def name(self) -> str:
        """What it is called in a report."""
        ...

    def value(self, point: Point) -> Any:
        """Where it stands."""
        ...

    def values(self, point: Point) -> Sequence[Any]:
        """Where it may be turned to, the present value first, then the nearest ones."""
        ...

    def turn(self, point: Point, value: Any) -> Point:
        """The point with this number changed."""
        ...


@dataclass(frozen=True)
class ThresholdKnob:
    """The bound of a region; a fine one goes a small step to either side."""

    region: str
    fine: bool = False

    @property
    def name(self) -> str:
        return f"{self.region} threshold"

    def value(self, point: Point) -> float:
        return point.thresholds[self.region]

    def values(self, point: Point) -> Sequence[float]:
        at = self.value(point)
        around = (round(at - FINE, 4), round(at + FINE, 4))
        return _nearest_first(at, [v for v in around if LOWEST <= v <= HIGHEST] if self.fine else COARSE)

    def turn(self, point: Point, value: float) -> Point:
        at = point.thresholds | {self.region: value}
        changed = [
            rule.model_copy(update={"at": at}) if isinstance(rule, Threshold) else rule
            for rule in point.rules
        ]
        return replace(point, rules=tuple(changed))


@dataclass(frozen=True)
class FilterKnob:
    """A bound of a filter of components."""

    index: int
    """Of the rule, in the point's order."""
    region: str
    field: Field

    @property
    def name(self) -> str:
        return f"{self.region} {self.field}"

    def value(self, point: Point) -> Any:
        return getattr(point.rules[self.index], self.field)

    def values(self, point: Point) -> Sequence[Any]:
        return _nearest_first(self.value(point), FILTERS[self.field])

    def turn(self, point: Point, value: Any) -> Point:
        changed: list[Rule] = list(point.rules)
        changed[self.index] = changed[self.index].model_copy(update={self.field: value})
        return replace(point, rules=tuple(changed))


@dataclass(frozen=True)
class WeightKnob:
    """A member's say in one channel."""

    member: int
    channel: int
    name: str

    def value(self, point: Point) -> float:
        return point.weights[self.member][self.channel]

    def values(self, point: Point) -> Sequence[float]:
        return _nearest_first(self.value(point), SHARES)

    def turn(self, point: Point, value: float) -> Point:
        rows = [list(row) for row in point.weights]
        rows[self.member][self.channel] = value
        return replace(point, weights=tuple(tuple(row) for row in rows))


def knob_blocks(start: Point, names: Sequence[str], members: Sequence[str]) -> list[tuple[Knob, ...]]:
    """The knobs of a point in blocks that are searched together, channel by channel.

    names: the stage's channels. members: files of the members whose weights are searched; none or one where
    they are not. A point without thresholds has weights alone.
    """
    blocks: list[tuple[Knob, ...]] = []
    for channel, name in enumerate(names):
        if len(members) > 1:
            blocks += [
                (WeightKnob(m, channel, f"{name} weight of {file}"),) for m, file in enumerate(members)
            ]
        if name in start.thresholds:
            blocks += _region_blocks(start, name)
    return blocks


def _region_blocks(start: Point, region: str) -> list[tuple[Knob, ...]]:
    index = next(
        i for i, rule in enumerate(start.rules) if isinstance(rule, KeepComponents) and rule.region == region
    )
    # A low bound often pays only together with a filter of what it lets in
    return [
        (ThresholdKnob(region), FilterKnob(index, region, "min_voxels")),
        (FilterKnob(index, region, "min_mean_probability"), FilterKnob(index, region, "max_count")),
        (ThresholdKnob(region, fine=True),),
    ]


def _nearest_first(present: Any, values: Sequence[Any]) -> list[Any]:
    """Values in the order of their distance from the present one: a search keeps the first of equals."""

    def distance(value: Any) -> float:
        if value == present:
            return -1.0
        return float("inf") if value is None or present is None else abs(value - present)

    return sorted(dict.fromkeys([present, *values]), key=distance)
