"""A MedNeXt's forward: plain torch as it comes against segcube's own backend, each in its own process."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from versus.agreement import compare
from versus.contestants import APART, CONTESTANTS, SEGCUBE, Job
from versus.data import Cases, cropped_shapes, prepare_cases
from versus.measure import measured
from versus.models import run_quietly
from versus.results import Run, read_steps
from versus.specs import Plan, Row

REGIONS = ("WT", "TC", "ET")


@dataclass(frozen=True)
class Forwards:
    """Seconds of a window's forward on a CPU, fp32."""

    plain: float
    """Plain torch."""
    ours: float
    """segcube on its own choice of backend: the mean of a case's windows."""
    differing: float
    """Of the foreground of either map, the share in which this one and torch's differ."""

    @property
    def ratio(self) -> float:
        return self.plain / self.ours


def compare_forwards(plan: Plan, width: int, work: Path, given: Path | None) -> Forwards:
    """Time a MedNeXt (two blocks a stage, widened twice, kernel 3) on the plan's windows and first case.

    width: its channels. Raises RuntimeError when a command fails.
    """
    place = work / f"mednext-{width}"
    shutil.rmtree(place, ignore_errors=True)
    cases = prepare_cases(plan, 1, work, given)
    weights = _submission(plan, width, cases, place)
    member = weights / "member.safetensors"
    plain = run_quietly([sys.executable, APART / "time_forward.py", member, str(plan.patch[0])])
    windows = plan.windows(cropped_shapes(cases)[0])
    row = Row("MedNeXt", plan, ())
    job = Job(row, place, weights, cases.images, cases.data, place / "own", place / "own.json")
    run = _run("fp32", job)
    other = Job(row, place, weights, cases.images, cases.data, place / "other", place / "other.json")
    _run("torch", other)
    apart = compare(job.out, other.out, {name: name for name in cases.outputs.values()}, len(REGIONS))
    return Forwards(float(plain), run.forwards[0] / windows, apart.differing)


def _run(contestant: str, job: Job) -> Run:
    who = CONTESTANTS[contestant]
    log = job.report.with_suffix(".log")
    usage = measured(who.command(job), who.environment(), log)
    if usage.status:
        raise RuntimeError(f"{who.title} ended with {usage.status}, see {log}")
    steps = read_steps(job.report)
    return Run(contestant, 0, usage.wall_seconds, usage.cpu_seconds, usage.peak_bytes, steps=steps)


def _submission(plan: Plan, width: int, cases: Cases, place: Path) -> Path:
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
    sha256 = run_quietly(
        [sys.executable, APART / "save_mednext.py", place / "arguments.json", weights / "member.safetensors"]
    ).strip()
    if isinstance(cases.challenge, Path):
        shutil.copy(cases.challenge, weights)
    challenge = cases.challenge.name if isinstance(cases.challenge, Path) else cases.challenge
    content = {"name": "mednext", "challenge": challenge, "stages": [_stage(plan, sha256)]}
    (weights / "submission.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    run_quietly([SEGCUBE, "compile", weights])
    return weights


def _stage(plan: Plan, sha256: str) -> dict[str, object]:
    branch = {
        "channels": list(plan.channels),
        "crop": "nonzero",
        "normalize": {"scheme": "zscore", "mask": "nonzero"},
        "spacing": None,
        "outputs": {"kind": "regions", "names": list(REGIONS)},
        "window": {"size": list(plan.patch), "overlap": 0.5, "plan": "nnunet", "blend": "gaussian"},
        "flips": [],
        "members": [{"file": "member.safetensors", "sha256": sha256}],
    }
    return {"name": "tumour", "regions": list(REGIONS), "branches": [branch]}
