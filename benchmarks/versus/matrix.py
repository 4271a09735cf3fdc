"""Run a row: every contestant in turn, round after round."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from versus.contestants import CONTESTANTS, Contestant, Job
from versus.inputs import Cases, build_model, import_model, prepare_cases
from versus.measure import gpu_watched, measure
from versus.report import CONSOLE, run_text
from versus.results import RowResult, Run, compare, read_steps
from versus.rows import Row

REFERENCE = "nnunet"


def run_row(row: Row, folds: int, work: Path, data: Path | None, has_bf16: bool) -> RowResult:
    """Run a row; a failed run is reported, and the row continues.

    folds: in the model folder of its plan. data: folder of real cases. has_bf16: the CPU has bfloat16
    instructions.
    """
    place = work / "rows" / row.name.replace(" ", "-").replace(",", "")
    shutil.rmtree(place, ignore_errors=True)
    cases = prepare_cases(row.plan, row.cases, work, data)
    model = build_model(row.plan, folds, work)
    size = import_model(model, cases.challenge, row.folds, place / "weights")
    runs: list[Run] = []
    for number in range(row.rounds):
        for key in row.contestants:
            if key == "bf16" and row.device == "cpu" and not has_bf16:
                continue
            out = place / f"{key}-{number}"
            job = Job(
                row, model, place / "weights", cases.images, cases.data, out, place / f"{out.name}.json"
            )
            runs.append(_run(CONTESTANTS[key], job, number, cases))
            CONSOLE.print(f"{row.name}, round {number + 1}: {CONTESTANTS[key].title}: {run_text(runs[-1])}")
    return RowResult(row, size, tuple(runs))


def _run(contestant: Contestant, job: Job, number: int, cases: Cases) -> Run:
    log = job.report.with_suffix(".log")
    # nvidia-smi slows the start of the driver, which is half of a run of one case
    with gpu_watched(job.row.device if job.row.cases > 1 else "cpu") as gpu:
        usage = measure(contestant.command(job), contestant.environment(), log)
    run = Run(contestant.key, number, usage.wall_seconds, usage.cpu_seconds, usage.peak_bytes)
    is_segcube = contestant.kind == "segcube"
    names = cases.outputs if is_segcube else {name: name for name in cases.outputs}
    if usage.status or not all((job.out / name).is_file() for name in names.values()):
        return replace(run, failed=str(log))
    finished = sorted((job.out / name).stat().st_mtime - usage.began for name in names.values())
    # Compared with nnU-Net's first round, if there is one
    reference = job.out.parent / f"{REFERENCE}-0"
    compared = all((reference / name).is_file() for name in names)
    return replace(
        run,
        finished=tuple(finished),
        agreement=compare(job.out, reference, names, len(job.row.plan.labels) - 1) if compared else None,
        busy=gpu.mean(usage.began + finished[0], usage.began + finished[-1]),
        steps=read_steps(job.report) if is_segcube else (),
    )
