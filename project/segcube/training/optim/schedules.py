"""The learning rate as a function of the step, and of past validations for the plateau schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from segcube.training.recipes import Schedule


@dataclass(frozen=True)
class Plateau:
    """The state of a plateau schedule: the lowest validation loss, validations since then, reductions."""

    best: float = math.inf
    waited: int = 0
    reductions: int = 0

    def after(self, loss: float, schedule: Schedule) -> Plateau:
        """Return the state after a validation, as torch's ReduceLROnPlateau with threshold 0.

        A loss that is not a number counts as no progress.
        """
        if loss < self.best:
            return replace(self, best=loss, waited=0)
        if self.waited < schedule.patience:
            return replace(self, waited=self.waited + 1)
        return replace(self, waited=0, reductions=self.reductions + 1)


def rate_at(
    schedule: Schedule, learning_rate: float, step: int, steps: int, plateau: Plateau | None = None
) -> float:
    """Return the learning rate of a step, counted from 0, of a training of so many steps.

    It is constant for `schedule.interval` steps. During the warm-up the rate grows linearly from
    learning_rate / warmup to learning_rate; the schedule then covers the remaining steps.
    """
    if step < schedule.warmup:
        return learning_rate * (step + 1) / schedule.warmup
    past = (step - schedule.warmup) // schedule.interval * schedule.interval
    share = min(past / max(steps - schedule.warmup, 1), 1.0)
    low = min(schedule.minimum, learning_rate)
    match schedule.kind:
        case "constant":
            return learning_rate
        case "poly":
            return low + (learning_rate - low) * (1 - share) ** schedule.power
        case "cosine":
            return low + (learning_rate - low) * (1 + math.cos(math.pi * share)) / 2
        case "multistep":
            passed = sum(share >= milestone for milestone in schedule.milestones)
            return max(learning_rate * schedule.factor**passed, low)
        case "plateau":
            return max(learning_rate * schedule.factor ** (plateau.reductions if plateau else 0), low)
