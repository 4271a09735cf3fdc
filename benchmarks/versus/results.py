"""What a run of the matrix leaves: every single run, and the median of pairs of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from versus.agreement import Agreement
from versus.models import Imported
from versus.specs import Row, Three

FORWARD = "forward"
"""The step of a case in which networks run; part of the step that predicts."""


@dataclass(frozen=True)
class Run:
    """One run of a contestant."""

    contestant: str
    round: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    failed: str = ""
    """Where the log of a run that failed lies."""
    agreement: Agreement | None = None
    """Of its labels with nnU-Net's."""
    steps: tuple[Mapping[str, float], ...] = ()
    """Seconds of each step of each case, as segcube reports them."""
    finished: tuple[float, ...] = ()
    """When each map was there, in seconds since the start."""
    busy: float | None = None
    """Share of the time from the first map to the last in which a GPU was busy."""

    @property
    def forwards(self) -> tuple[float, ...]:
        """Seconds of each case in networks, or in all of sliding where the report doesn't part them."""
        return tuple(
            case.get(FORWARD, sum(s for step, s in case.items() if step.startswith("predict")))
            for case in self.steps
        )

    @property
    def beside(self) -> tuple[float, ...]:
        """Seconds of each case beside its forwards."""
        return tuple(
            sum(case.values()) - forward for case, forward in zip(self.steps, self.forwards, strict=True)
        )

    @property
    def start_up(self) -> float:
        """Seconds of a run of one case before and after its steps."""
        return self.wall_seconds - sum(sum(case.values()) for case in self.steps)


@dataclass(frozen=True)
class Spread:
    """Median, least and most of some numbers."""

    median: float
    least: float
    most: float


@dataclass(frozen=True)
class RowResult:
    """A row with all its runs."""

    row: Row
    imported: Imported
    shapes: tuple[Three, ...]
    """Size (z, y, x) of what isn't zero in each case."""
    runs: tuple[Run, ...] = field(default_factory=tuple)

    @property
    def windows(self) -> int:
        """Windows of the first case."""
        return self.row.plan.windows(self.shapes[0])

    @property
    def products(self) -> float:
        """Multiply-adds of the first case's forwards, in 1e9."""
        return self.imported.products * self.windows * (8 if self.row.mirrors else 1)

    def of(self, contestant: str) -> list[Run]:
        """A contestant's runs that ended well, by round."""
        return [run for run in self.runs if run.contestant == contestant and not run.failed]

    def spread(self, contestant: str, number: str) -> Spread | None:
        """Of a contestant's `wall_seconds`, `cpu_seconds` or `peak_bytes`; None where it has no run."""
        return spread([getattr(run, number) for run in self.of(contestant)])

    def ratio(self, contestant: str, rival: str, number: str) -> Spread | None:
        """How many times the contestant's number the rival's is, pair by pair of a round."""
        theirs = {run.round: getattr(run, number) for run in self.of(rival)}
        mine = {run.round: getattr(run, number) for run in self.of(contestant)}
        return spread([theirs[n] / mine[n] for n in mine if n in theirs])


def spread(numbers: list[float]) -> Spread | None:
    """None of no numbers."""
    return Spread(median(numbers), min(numbers), max(numbers)) if numbers else None


def read_steps(report: Path) -> tuple[dict[str, float], ...]:
    """Seconds of each step of each case of a report."""
    return tuple(case["seconds"] for case in json.loads(report.read_text())["cases"])
