"""What is tuned: the rules of a submission and the weights of its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segcube.submission import KeepComponents, Rule, Threshold

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
