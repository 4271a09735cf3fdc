"""What a log amounts to, in bounded memory: curves, validations, events, time by part."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from segcube.training.log import Record

MOST_POINTS = 512
"""Points of a curve."""
MOST_EVENTS = 100
"""Events that are kept; all are counted."""
RECENT_STEPS = 100
"""Steps whose mean time the time left is estimated from."""
NO_CURVES = {"kind", "step", "updated", "seconds", "memory_gb", "time"}
"""Keys of a step's record without a curve; all other numbers have one."""
NO_LOSSES = ("rate", "gradient_norm")
"""Curves that are no part of the loss."""


@dataclass(frozen=True)
class Point:
    """The values of consecutive steps: their mean step and mean value, and the extremes."""

    step: float
    mean: float
    low: float
    high: float


@dataclass
class _Bin:
    count: int
    steps: float
    total: float
    low: float
    high: float


@dataclass
class Curve:
    """Values by step, in at most MOST_POINTS ranges of equally many steps.

    Ranges begin as single steps. Whenever a step would need one more range than there may be, each two
    neighbours become one, so that a range has 2^k steps; the same values give the same points in any number
    of calls.
    """

    width: int = 1
    """Steps of a range."""
    _bins: dict[int, _Bin] = field(default_factory=dict)

    def add(self, step: int, value: float) -> None:
        """Add the value of a step."""
        while (index := step // self.width) >= MOST_POINTS:
            self._halve()
        found = self._bins.get(index)
        if found is None:
            self._bins[index] = _Bin(1, step, value, value, value)
            return
        found.count += 1
        found.steps += step
        found.total += value
        # Not min and max: a log has millions of values
        if value < found.low:
            found.low = value
        elif value > found.high:
            found.high = value

    def points(self) -> list[Point]:
        """Return the points in the order of steps; ranges without a value have none."""
        bins = (self._bins[index] for index in sorted(self._bins))
        return [Point(b.steps / b.count, b.total / b.count, b.low, b.high) for b in bins]

    def _halve(self) -> None:
        self.width *= 2
        bins, self._bins = self._bins, {}
        for index in sorted(bins):
            found, new = self._bins.get(index // 2), bins[index]
            if found is None:
                self._bins[index // 2] = new
                continue
            found.count += new.count
            found.steps += new.steps
            found.total += new.total
            found.low, found.high = min(found.low, new.low), max(found.high, new.high)


@dataclass(frozen=True)
class ValidationRecord:
    """A validation: Dice by case and region, and the means; None for a value that does not exist."""

    step: int
    scores: Mapping[str, Mapping[str, float | None]]
    mean: Mapping[str, float | None]
    recall: Mapping[str, float | None]
    metrics: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    """The challenge's, by case and region."""
    confusion: Mapping[str, Mapping[str, float]]
    """Voxels by the reference's label, then by the predicted one."""
    seconds: float | None


@dataclass
class History:
    """What is known of a training after its log's records; `add` takes them in their order."""

    step: int = 0
    """Finished steps."""
    latest: dict[str, float] = field(default_factory=dict)
    """The last values of all curves."""
    curves: dict[str, Curve] = field(default_factory=dict)
    dice: dict[str, Curve] = field(default_factory=dict)
    """Mean Dice of the validations by region."""
    validations: list[ValidationRecord] = field(default_factory=list)
    events: deque[Record] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    event_counts: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    """Of all steps, by part."""
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_STEPS))
    """Seconds of the last steps."""
    steps_timed: int = 0
    skipped: int = 0
    """Steps that changed no weights."""
    memory_gb: float = 0.0
    """The highest peak."""

    def add(self, record: Record) -> None:
        """Take a record; one of an unknown kind changes nothing."""
        kind = record.get("kind")
        if kind == "step":
            self._add_step(record)
        elif kind == "validation":
            self._add_validation(record)
        elif kind == "event":
            self.events.append(record)
            self.event_counts[str(record.get("event"))] += 1

    @property
    def steps_per_second(self) -> float | None:
        """Of the last steps; None before the first one."""
        total = sum(self.recent)
        return len(self.recent) / total if total > 0 else None

    @property
    def losses(self) -> dict[str, Curve]:
        """The curves of the loss and its parts."""
        return {name: curve for name, curve in self.curves.items() if name not in NO_LOSSES}

    def seconds_left(self, steps: int, every: int) -> float | None:
        """Return the seconds up to step `steps`, with a validation every so many steps and at the end.

        From the mean of the last steps and of the validations that state their seconds; None before step 1.
        """
        if not self.recent:
            return None
        times = [found.seconds for found in self.validations if found.seconds is not None]
        left = max(steps - self.step, 0)
        validations = steps // every - self.step // every + (left > 0 and steps % every > 0)
        return left * fmean(self.recent) + max(validations, 0) * (fmean(times) if times else 0.0)

    def _add_step(self, record: Record) -> None:
        self.step = int(record["step"])
        for name, value in record.items():
            if name not in NO_CURVES and (number := as_number(value)) is not None:
                self.latest[name] = number
                if name not in self.curves:
                    self.curves[name] = Curve()
                self.curves[name].add(self.step, number)
        if seconds := record.get("seconds"):
            total = 0.0
            for name, value in seconds.items():
                number = as_number(value) or 0.0
                self.seconds[name] = self.seconds.get(name, 0.0) + number
                total += number
            self.recent.append(total)
            self.steps_timed += 1
        self.skipped += record.get("updated") is False
        self.memory_gb = max(self.memory_gb, as_number(record.get("memory_gb")) or 0.0)

    def _add_validation(self, record: Record) -> None:
        step = int(record["step"])
        mean = _numbers(record.get("mean", {}))
        for region, value in mean.items():
            if value is not None:
                self.dice.setdefault(region, Curve()).add(step, value)
        self.validations.append(
            ValidationRecord(
                step,
                {case: _numbers(row) for case, row in record.get("scores", {}).items()},
                mean,
                _numbers(record.get("recall", {})),
                {
                    case: {region: _numbers(row) for region, row in regions.items()}
                    for case, regions in record.get("challenge_metrics", {}).items()
                },
                _confusion(record.get("confusion", {})),
                as_number(record.get("seconds")),
            )
        )


def read_history(records: Iterable[Record]) -> History:
    """Return the history of a log's records."""
    history = History()
    for record in records:
        history.add(record)
    return history


def as_number(value: Any) -> float | None:
    """Return a finite number of JSON as float; None for anything else."""
    if type(value) in (float, int) and math.isfinite(value):
        return float(value)
    return None


def _confusion(table: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    labels = table.get("labels", [])
    return {
        label: dict(zip(labels, row, strict=True))
        for label, row in zip(labels, table.get("voxels", []), strict=True)
    }


def _numbers(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: as_number(value) for name, value in values.items()}
