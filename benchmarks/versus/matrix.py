"""Run the rows: every contestant in turn, round after round, and the forward of a MedNeXt."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from versus.contestants import CONTESTANTS, SEGCUBE, SEPARATE, Contestant, Job, available_contestants
from versus.inputs import (
    Cases,
    Imported,
    build_model,
    cropped_shapes,
    import_model,
    prepare_cases,
    run_quietly,
)
from versus.machine import Machine
from versus.measure import gpu_watched, measure
from versus.report import CONSOLE, run_text
from versus.results import Forwards, RowResult, Run, compare, read_steps
from versus.rows import Plan, Row

REFERENCE = "nnunet"
REGIONS = ("WT", "TC", "ET")


@dataclass
class Matrix:
    """The settings and imported models that rows share."""

    work: Path
    data: Path | None
    machine: Machine
    folds: Mapping[Plan, int]
    """In the model folder of a plan: enough for all its rows."""
    imported: dict[tuple[Plan, int], Imported] = field(default_factory=dict)
    """By plan and folds: rows reuse the weights of earlier ones."""

    def run(self, row: Row) -> RowResult:
        """Run a row; a failed run is reported, and the row continues."""
        place = self.work / "rows" / row.name.replace(" ", "-").replace(",", "")
        shutil.rmtree(place, ignore_errors=True)
        cases = prepare_cases(row.plan, row.cases, self.work, self.data)
        model = build_model(row.plan, self.folds[row.plan], self.work)
        if (row.plan, row.folds) not in self.imported:
            weights = place / "weights"
            self.imported[row.plan, row.folds] = import_model(model, cases.challenge, row.folds, weights)
        imported = self.imported[row.plan, row.folds]
        runs: list[Run] = []
        for number in range(row.rounds):
            for contestant in available_contestants(row, self.machine.has_bf16):
                out = place / f"{contestant.key}-{number}"
                report = place / f"{out.name}.json"
                job = Job(row, model, imported.weights, cases.images, cases.data, out, report)
                runs.append(_run(contestant, job, number, cases))
                CONSOLE.print(f"{row.name}, round {number + 1}: {contestant.title}: {run_text(runs[-1])}")
        return RowResult(row, imported, tuple(cropped_shapes(cases)), tuple(runs))


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


def compare_forwards(plan: Plan, width: int, work: Path, data: Path | None) -> Forwards:
    """Time a MedNeXt (two blocks a stage, expansion 2, kernel 3) on the plan's windows and first case.

    width: its channels. Raises RuntimeError if a command fails.
    """
    place = work / f"mednext-{width}"
    shutil.rmtree(place, ignore_errors=True)
    cases = prepare_cases(plan, 1, work, data)
    weights = _mednext_submission(plan, width, cases, place)
    script = SEPARATE / "time_forward.py"
    plain = run_quietly([sys.executable, script, weights / "member.safetensors", str(plan.patch[0])])
    runs = {}
    for key in ("fp32", "torch"):
        job = Job(
            Row("MedNeXt", plan, ()),
            place,
            weights,
            cases.images,
            cases.data,
            place / key,
            place / f"{key}.json",
        )
        runs[key] = _run(CONTESTANTS[key], job, 0, cases)
        if runs[key].failed:
            raise RuntimeError(f"{CONTESTANTS[key].title} failed, see {runs[key].failed}")
    names = {name: name for name in cases.outputs.values()}
    differing = compare(place / "fp32", place / "torch", names, len(REGIONS)).differing
    windows = plan.windows(cropped_shapes(cases)[0])
    return Forwards(float(plain), runs["fp32"].forwards[0] / windows, differing)


def _mednext_submission(plan: Plan, width: int, cases: Cases, place: Path) -> Path:
    weights = place / "weights"
    weights.mkdir(parents=True)
    arguments = {
        "in_channels": len(plan.channels),
        "out_channels": len(REGIONS),
        "n_channels": width,
        "exp_r": 2,
        "block_counts": [2] * 9,
        "kernel_size": 3,
    }
    (place / "arguments.json").write_text(json.dumps(arguments))
    script = SEPARATE / "save_mednext.py"
    sha256 = run_quietly([sys.executable, script, place / "arguments.json", weights / "member.safetensors"])
    challenge = cases.challenge
    if isinstance(challenge, Path):
        shutil.copy(challenge, weights)
        challenge = challenge.name
    branch = {
        "channels": list(plan.channels),
        "crop": "nonzero",
        "normalize": {"scheme": "zscore", "mask": "nonzero"},
        "spacing": None,
        "outputs": {"kind": "regions", "names": list(REGIONS)},
        "window": {"size": list(plan.patch), "overlap": 0.5, "plan": "nnunet", "blend": "gaussian"},
        "flips": [],
        "members": [{"file": "member.safetensors", "sha256": sha256.strip()}],
    }
    stage = {"name": "tumour", "regions": list(REGIONS), "branches": [branch]}
    content = {"name": "mednext", "challenge": challenge, "stages": [stage]}
    (weights / "submission.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    run_quietly([SEGCUBE, "compile", weights])
    return weights
