"""The search space of a tuning: thresholds, component filters and members' weights, and their candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from segcube.spec.submission import KeepComponents, Rule, Threshold

HALF = 0.5
LOWEST, HIGHEST = 0.1, 0.9
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FINE_STEPS = (-0.05, 0.05)
FILTERS: Mapping[str, tuple[Any, ...]] = {
    "min_voxels": (0, 10, 25, 50, 100, 200, 400),
    "min_mean_probability": (0.0, 0.5, 0.6, 0.7, 0.8, 0.9),
    "max_count": (None, 1, 2, 3, 5, 10),
}
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)

Weights: TypeAlias = tuple[tuple[float, ...], ...]
"""A row for each member, a column for each channel of the stage."""

Point: TypeAlias = Mapping[str, Any]
"""The value of each parameter by its name: "WT threshold", "WT min_voxels", "WT weight of a.safetensors"."""

Block: TypeAlias = Mapping[str, tuple[Any, ...]]
"""The values of parameters that are searched together, by name; none for steps around the present one."""


@dataclass(frozen=True)
class SearchSpace:
    """The parameters of a submission, and the rules and weights at their values."""

    channels: tuple[str, ...]
    """Of the stage."""
    rules: tuple[Rule, ...]
    """At the start; for regions with a threshold and a component filter each, inactive where added."""
    members: tuple[str, ...]
    """Files of the members; none where weights are not searched."""
    weights: Weights
    """At the start; one row if there are no members."""
    filters: Mapping[str, int]
    """The index of each region's first component filter, the one that is searched; none for labels."""
    start: Point
    """The submission's own values."""
    blocks: tuple[Block, ...]
    """All parameters, channel by channel."""

    def rules_at(self, point: Point) -> tuple[Rule, ...]:
        """The rules at a point, inactive filters included."""
        rules = list(self.rules)
        for region, index in self.filters.items():
            values = {field: point[f"{region} {field}"] for field in FILTERS}
            rules[index] = rules[index].model_copy(update=values)
        if self.filters:
            at = {name: point[f"{name} threshold"] for name in self.channels}
            rules[0] = rules[0].model_copy(update={"at": at})
        return tuple(rules)

    def weights_at(self, point: Point) -> Weights:
        """The weights at a point."""
        if not self.members:
            return self.weights
        return tuple(tuple(point[f"{name} weight of {m}"] for name in self.channels) for m in self.members)

    def is_valid(self, point: Point) -> bool:
        """Whether each channel has a member with a weight."""
        return all(any(column) for column in zip(*self.weights_at(point), strict=True))


def build_search_space(
    rules: Sequence[Rule],
    channels: Sequence[str],
    kind: Literal["regions", "labels"],
    members: Sequence[str],
    weights: Weights,
) -> SearchSpace:
    """Lay out the rules of a submission so that each region has a threshold and a component filter.

    Added filters come right after the thresholds, before rules that depend on other regions. The rules of a
    stage of labels stay as they are.
    """
    start: dict[str, Any] = {}
    filters: dict[str, int] = {}
    if kind == "regions":
        at = {name: thresholds_of(rules).get(name, HALF) for name in channels}
        filtered = {rule.region for rule in rules if isinstance(rule, KeepComponents)}
        added = [
            KeepComponents(rule="keep_components", region=name) for name in channels if name not in filtered
        ]
        others = [rule for rule in rules if not isinstance(rule, Threshold)]
        rules = [Threshold(rule="threshold", at=at), *added, *others]
        for index, rule in enumerate(rules):
            if isinstance(rule, KeepComponents) and rule.region in at:
                filters.setdefault(rule.region, index)
        start |= {f"{name} threshold": value for name, value in at.items()}
        for region, index in filters.items():
            start |= {f"{region} {field}": getattr(rules[index], field) for field in FILTERS}
    for member, row in zip(members, weights, strict=False):
        start |= {f"{name} weight of {member}": weight for name, weight in zip(channels, row, strict=True)}
    blocks = [block for name in channels for block in _blocks(name, members, name in filters)]
    return SearchSpace(tuple(channels), tuple(rules), tuple(members), weights, filters, start, tuple(blocks))


def _blocks(channel: str, members: Sequence[str], filtered: bool) -> list[Block]:
    blocks: list[Block] = []
    if len(members) > 1:
        blocks += [{f"{channel} weight of {member}": SHARES} for member in members]
    if filtered:
        voxels, mean, count = ({f"{channel} {field}": values} for field, values in FILTERS.items())
        # A low threshold often helps only together with a filter of the components that it adds
        blocks += [{f"{channel} threshold": THRESHOLDS} | voxels, mean | count]
        blocks.append({f"{channel} threshold": ()})
    return blocks


def candidates(present: Any, values: Sequence[Any]) -> list[Any]:
    """The values to try, the present one first, then the nearest: a search keeps the first of equals.

    values: none for a fine step up and down within the bounds.
    """
    if not values:
        stepped = [round(present + step, 4) for step in FINE_STEPS]
        values = [value for value in stepped if LOWEST <= value <= HIGHEST]

    def distance(value: Any) -> float:
        if value == present:
            return -1.0
        return math.inf if value is None or present is None else abs(value - present)

    return sorted(dict.fromkeys([present, *values]), key=distance)


def thresholds_of(rules: Sequence[Rule]) -> dict[str, float]:
    """The threshold of each region that has one."""
    return {name: at for rule in rules if isinstance(rule, Threshold) for name, at in rule.at.items()}


def active_rules(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules without filters that keep every component."""
    return tuple(rule for rule in rules if not (isinstance(rule, KeepComponents) and _keeps_all(rule)))


def _keeps_all(rule: KeepComponents) -> bool:
    return rule.min_voxels <= 1 and rule.min_mean_probability == 0 and rule.max_count is None
