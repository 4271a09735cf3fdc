"""Values that `segcube tune --run` found: postprocessing rules, and the weights of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from segcube.core import Name, StrictModel, UsageError, read_model
from segcube.spec.submission import Member, Rule, Weight


class TunedValues(StrictModel):
    """The block of YAML that a tuning writes; weights: of each region, by the name of the run."""

    postprocess: tuple[Rule, ...] = ()
    weights: dict[Name, dict[Name, Weight]] = Field(default_factory=dict)

    def check(self, runs: Sequence[str]) -> None:
        """Raise UsageError for weights of other runs than those that are collected."""
        if self.weights and set(self.weights) != set(runs):
            found = f"the tuned weights are of {', '.join(self.weights)}"
            raise UsageError(
                found, expected=f"of the runs {', '.join(runs)}", hint="tune these runs together"
            )


NO_VALUES = TunedValues()


def read_tuned(file: Path) -> TunedValues:
    """Read tuned values. Raises UsageError for a file that is missing or invalid, with the key."""
    return read_model(file, TunedValues, UsageError)


def weighted(members: Sequence[Member], weights: dict[str, float] | None) -> tuple[Member, ...]:
    """Return members with the weights of their run, by region; None leaves them equal.

    The sum of a run's weights does not depend on the number of its folds.
    """
    if weights is None:
        return tuple(members)
    shares = {name: weight / len(members) for name, weight in weights.items()}
    return tuple(member.model_copy(update={"weight": shares}) for member in members)
