"""Results of the benchmark: every single run, the agreement of label maps, and medians over rounds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from nibabel.nifti1 import Nifti1Image

from versus.rows import Row

FORWARD = "forward"
"""The step of a case in which networks run, a part of the prediction step."""


@dataclass(frozen=True)
class Agreement:
    """One folder of label maps against another."""

    differing: float
    """Fraction of the voxels that are foreground in either map."""
    dice: float
    """Mean over the labels of all cases; 1 for two empty masks."""


def compare(maps: Path, others: Path, names: Mapping[str, str], labels: int) -> Agreement:
    """Compare maps with others of the same cases.

    names: the name of each map by the other's. labels: the number of foreground labels. Raises
    FileNotFoundError for a missing map, ValueError for a map on another grid.
    """
    foreground = differing = 0
    both, sizes = np.zeros(labels), np.zeros(labels)
    for other, name in names.items():
        found_xyz, other_xyz = read_map(maps / name), read_map(others / other)
        if found_xyz.shape != other_xyz.shape:
            raise ValueError(f"{maps / name}: a grid of {found_xyz.shape}; expected {other_xyz.shape}")
        foreground += np.count_nonzero(found_xyz | other_xyz)
        differing += np.count_nonzero(found_xyz != other_xyz)
        for label in range(1, labels + 1):
            found, reference = found_xyz == label, other_xyz == label
            both[label - 1] += np.count_nonzero(found & reference)
            sizes[label - 1] += np.count_nonzero(found) + np.count_nonzero(reference)
    dice = np.divide(2 * both, sizes, out=np.ones(labels), where=sizes > 0)
    return Agreement(differing / max(foreground, 1), float(dice.mean()))


def read_map(file: Path) -> np.ndarray:
    """Read a label map (x, y, z)."""
    return np.asarray(Nifti1Image.from_filename(file).dataobj).astype(np.uint8)


@dataclass(frozen=True)
class Run:
    """One run of a contestant."""

    contestant: str
    round: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    failed: str = ""
    """The log of a failed run."""
    agreement: Agreement | None = None
    """Of its label maps with nnU-Net's."""
    steps: tuple[Mapping[str, float], ...] = ()
    """Seconds of each step of each case, from segcube's report."""
    finished: tuple[float, ...] = ()
    """Time of each map in seconds since the start."""
    busy: float | None = None
    """Utilisation of the GPU between the first and the last map."""

    @property
    def forwards(self) -> tuple[float, ...]:
        """Seconds of each case in networks, or in all of the prediction if the report has no such step."""
        return tuple(
            case.get(FORWARD, sum(s for step, s in case.items() if step.startswith("windows")))
            for case in self.steps
        )

    @property
    def outside(self) -> tuple[float, ...]:
        """Seconds of each case outside of its forwards."""
        return tuple(
            sum(case.values()) - forward for case, forward in zip(self.steps, self.forwards, strict=True)
        )

    @property
    def start_up(self) -> float:
        """Seconds of a run of one case before and after the case."""
        return self.wall_seconds - sum(sum(case.values()) for case in self.steps)


@dataclass(frozen=True)
class Spread:
    """Median and range of some numbers."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        several = f" ({self.least:.2f} to {self.most:.2f})" if self.least != self.most else ""
        return f"{self.median:.2f}{several}"


@dataclass(frozen=True)
class RowResult:
    """A row and its runs."""

    row: Row
    weight_bytes: int
    """Of all members."""
    runs: tuple[Run, ...]

    def of(self, contestant: str) -> list[Run]:
        """A contestant's successful runs, by round."""
        return [run for run in self.runs if run.contestant == contestant and not run.failed]

    def spread(self, contestant: str, number: str) -> Spread | None:
        """Of a contestant's `wall_seconds`, `cpu_seconds` or `peak_bytes`; None without a run."""
        return spread([getattr(run, number) for run in self.of(contestant)])

    def ratio(self, contestant: str, rival: str, number: str) -> Spread | None:
        """The rival's number divided by the contestant's, in pairs of the same round."""
        theirs = {run.round: getattr(run, number) for run in self.of(rival)}
        mine = {run.round: getattr(run, number) for run in self.of(contestant)}
        return spread([theirs[n] / mine[n] for n in mine if n in theirs])


def spread(numbers: list[float]) -> Spread | None:
    """Median and range; None for no numbers."""
    return Spread(median(numbers), min(numbers), max(numbers)) if numbers else None


def read_steps(report: Path) -> tuple[dict[str, float], ...]:
    """Seconds of each step of each case of a report."""
    return tuple(case["seconds"] for case in json.loads(report.read_text())["cases"])
