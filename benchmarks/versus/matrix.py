"""Runs the rows of a matrix: every contestant in turn, round after round."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from versus.agreement import Agreement, compare
from versus.busy import watched
from versus.console import CONSOLE
from versus.contestants import Contestant, Job, taking_part
from versus.data import Cases, cropped_shapes, prepare_cases
from versus.machine import Machine
from versus.measure import measured
from versus.models import Imported, build_model, import_model
from versus.results import RowResult, Run, read_steps
from versus.specs import Plan, Row

REFERENCE = "nnunet"


@dataclass
class Matrix:
    """What the rows share."""

    work: Path
    given: Path | None
    machine: Machine
    folds: Mapping[Plan, int]
    """That a plan's model folder holds, enough for all its rows."""
    imported: dict[tuple[Plan, int], Imported] = field(default_factory=dict)
    """By plan and folds: a row takes the weights of an earlier one."""

    def run(self, row: Row) -> RowResult:
        """Run a row; a run that fails is told, and the row goes on."""
        place = self.work / "rows" / row.name.replace(" ", "-").replace(",", "")
        shutil.rmtree(place, ignore_errors=True)
        cases = prepare_cases(row.plan, row.cases, self.work, self.given)
        model = build_model(row.plan, self.folds[row.plan], self.work)
        if (row.plan, row.folds) not in self.imported:
            weights = place / "weights"
            self.imported[row.plan, row.folds] = import_model(model, cases.challenge, row.folds, weights)
        imported = self.imported[row.plan, row.folds]
        runs: list[Run] = []
        for number in range(row.rounds):
            for contestant in taking_part(row, self.machine.has_bf16):
                out = place / f"{contestant.key}-{number}"
                job = Job(
                    row, model, imported.weights, cases.images, cases.data, out, place / f"{out.name}.json"
                )
                run = self._run(contestant, job, number, cases)
                runs.append(run)
                CONSOLE.print(f"{row.name}, round {number + 1}: {contestant.title}: {told(run)}")
        return RowResult(row, imported, tuple(cropped_shapes(cases)), tuple(runs))

    def _run(self, contestant: Contestant, job: Job, number: int, cases: Cases) -> Run:
        log = job.report.with_suffix(".log")
        # Looking slows the start of the driver, which is half of a run of one case
        with watched(job.row.device if job.row.cases > 1 else "cpu") as looks:
            usage = measured(contestant.command(job), contestant.environment(), log)
        run = Run(contestant.key, number, usage.wall_seconds, usage.cpu_seconds, usage.peak_bytes)
        ours = contestant.kind == "segcube"
        names = cases.outputs if ours else {name: name for name in cases.outputs}
        missing = [name for name in names.values() if not (job.out / name).is_file()]
        if usage.status or missing:
            return replace(run, failed=str(log))
        finished = sorted((job.out / name).stat().st_mtime - usage.began for name in names.values())
        agreement = self._agreement(job, names)
        busy = looks.busy(usage.began + finished[0], usage.began + finished[-1])
        run = replace(run, finished=tuple(finished), agreement=agreement, busy=busy)
        return replace(run, steps=read_steps(job.report)) if ours else run

    def _agreement(self, job: Job, names: dict[str, str]) -> Agreement | None:
        """With the maps of nnU-Net's first round; None where it took no part, or failed."""
        theirs = job.out.parent / f"{REFERENCE}-0"
        if not all((theirs / name).is_file() for name in names):
            return None
        return compare(job.out, theirs, names, len(job.row.plan.labels) - 1)


def told(run: Run) -> str:
    """A run in a line."""
    if run.failed:
        return f"FAILED, see {run.failed}"
    apart = f", {run.agreement.differing:.3%} of the labels apart" if run.agreement else ""
    numbers = (
        f"{run.wall_seconds:.1f} s",
        f"{run.cpu_seconds:.1f} s of processor",
        f"{run.peak_bytes / 1e9:.2f} GB",
    )
    return ", ".join(numbers) + apart
