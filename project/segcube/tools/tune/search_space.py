"""The search space of a tuning: thresholds, component filters and members' weights, and their candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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


@dataclass(frozen=True)
class Parameter:
    """A parameter of the search: fixed candidates, or steps from its present value."""

    name: str
    values: tuple[Any, ...] = ()
    steps: tuple[float, ...] = ()

    def candidates(self, point: Point) -> list[Any]:
        """The values to try, the present one first, then the nearest: a search keeps the first of equals."""
        present = point[self.name]
        stepped = [round(present + step, 4) for step in self.steps]
        values = [*self.values, *(value for value in stepped if LOWEST <= value <= HIGHEST)]

        def distance(value: Any) -> float:
            if value == present:
                return -1.0
            return float("inf") if value is None or present is None else abs(value - present)

        return sorted(dict.fromkeys([present, *values]), key=distance)


@dataclass(frozen=True)
class SearchSpace:
    """The parameters of a submission, and the rules and weights at their values."""

    channels: tuple[str, ...]
    """Of the stage."""
    kind: Literal["regions", "labels"]
    rules: tuple[Rule, ...]
    """At the start; for regions with a threshold and a component filter each, inactive where added."""
    members: tuple[str, ...]
    """Files of the members; none where weights are not searched."""
    weights: Weights
    """At the start; one row if there are no members."""

    @cached_property
    def _filters(self) -> dict[str, int]:
        """The index of each region's first component filter, the one that is searched."""
        found: dict[str, int] = {}
        if self.kind == "regions":
            for index, rule in enumerate(self.rules):
                if isinstance(rule, KeepComponents) and rule.region in self.channels:
                    found.setdefault(rule.region, index)
        return found

    @cached_property
    def start(self) -> Point:
        """The submission's own values."""
        point: dict[str, Any] = {}
        if self.kind == "regions":
            point |= {f"{name} threshold": at for name, at in thresholds_of(self.rules).items()}
        for region, index in self._filters.items():
            point |= {f"{region} {field}": getattr(self.rules[index], field) for field in FILTERS}
        for member, row in zip(self.members, self.weights, strict=False):
            point |= {f"{name} weight of {member}": w for name, w in zip(self.channels, row, strict=True)}
        return point

    @cached_property
    def blocks(self) -> tuple[tuple[Parameter, ...], ...]:
        """Parameters in blocks that are searched together, channel by channel."""
        blocks: list[tuple[Parameter, ...]] = []
        for name in self.channels:
            if len(self.members) > 1:
                blocks += [(Parameter(f"{name} weight of {member}", SHARES),) for member in self.members]
            if name in self._filters:
                voxels, mean, count = (Parameter(f"{name} {field}", FILTERS[field]) for field in FILTERS)
                # A low threshold often helps only together with a filter of the components that it adds
                blocks.append((Parameter(f"{name} threshold", THRESHOLDS), voxels))
                blocks.append((mean, count))
                blocks.append((Parameter(f"{name} threshold", steps=FINE_STEPS),))
        return tuple(blocks)

    def rules_at(self, point: Point) -> tuple[Rule, ...]:
        """The rules at a point, inactive filters included."""
        rules = list(self.rules)
        for region, index in self._filters.items():
            values = {field: point[f"{region} {field}"] for field in FILTERS}
            rules[index] = rules[index].model_copy(update=values)
        if self.kind == "regions":
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
    if kind == "regions":
        own = thresholds_of(rules)
        threshold = Threshold(rule="threshold", at={name: own.get(name, HALF) for name in channels})
        filtered = {rule.region for rule in rules if isinstance(rule, KeepComponents)}
        added = [
            KeepComponents(rule="keep_components", region=name) for name in channels if name not in filtered
        ]
        rules = [threshold, *added, *(rule for rule in rules if not isinstance(rule, Threshold))]
    return SearchSpace(tuple(channels), kind, tuple(rules), tuple(members), weights)


def thresholds_of(rules: Sequence[Rule]) -> dict[str, float]:
    """The threshold of each region that has one."""
    return {name: at for rule in rules if isinstance(rule, Threshold) for name, at in rule.at.items()}


def active_rules(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules without filters that keep every component."""
    return tuple(rule for rule in rules if not (isinstance(rule, KeepComponents) and _keeps_all(rule)))


def _keeps_all(rule: KeepComponents) -> bool:
    return rule.min_voxels <= 1 and rule.min_mean_probability == 0 and rule.max_count is None
