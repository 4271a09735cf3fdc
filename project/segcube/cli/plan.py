"""`segcube plan`: check labelled cases, plan a training, and with --go do all that follows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from segcube.cli.base.options import Challenge, Device
from segcube.cli.base.process import prepare_for_torch
from segcube.cli.base.training import (
    Configuration,
    FreshPlan,
    Go,
    IgnoreLabel,
    LabelFolder,
    LabelledData,
    LimitHours,
    MemoryGb,
    Plans,
    RecipeName,
    RunOut,
    SplitOf,
    Steps,
    Values,
)
from segcube.cli.train import collect, prepare, train, validate
from segcube.core import LOG, ExitCode, printable

if TYPE_CHECKING:
    from segcube.training import RunFolder

LONG_HOURS = 48.0
"""A training that takes longer on a CPU is pointed out."""


def plan(
    data: LabelledData,
    challenge: Challenge,
    out: RunOut,
    recipe: RecipeName = "nnunet",
    set_: Values = None,
    steps: Steps = None,
    ref: LabelFolder = None,
    ignore_label: IgnoreLabel = None,
    split: SplitOf = None,
    plans: Plans = None,
    configuration: Configuration = "3d_fullres",
    device: Device = "auto",
    memory_gb: MemoryGb = None,
    limit_hours: LimitHours = None,
    fresh: FreshPlan = False,
    go: Go = False,
) -> ExitCode:
    """Check labelled cases and plan a training on them.

    Reads every file once and reports all problems by reason code. Writes plan.yaml, folds.yaml, dataset.yaml,
    fingerprint.json and problems.csv to the run's folder. Measures steps on the device at hand, divides the
    batch where memory does not suffice, and estimates hours and memory.

    Exit code: 0 done, 2 usage or data that cannot be trained on, 5 device or disk not usable; with --go also
    those of `segcube train`.

    \b
    Example:
      segcube plan data --challenge brats2024-ssa --recipe mednext-b-k3 --out runs/ssa
      segcube plan data --challenge mbas2024 --recipe fast --out runs/atria --go
    """
    prepare_for_torch()
    from segcube.core import case_bar
    from segcube.training import PlanRequest, RunFolder, load_recipe, plan_run
    from segcube.training.plan import describe_budget
    from segcube.training.recipes import parse_overrides

    values = parse_overrides(set_ or ())
    if steps is not None:
        values["steps"] = steps
    run = RunFolder(out)
    request = PlanRequest(
        data=data,
        challenge=challenge,
        recipe=load_recipe(recipe, values),
        labels=ref,
        ignore=ignore_label,
        folds=None if split is None else int(split) if split.isdecimal() else Path(split),
        plans=plans,
        configuration=configuration,
        device=device,
        memory_gb=memory_gb,
    )
    with case_bar("reading") as on_case:
        planned = plan_run(request, run, fresh=fresh, on_case=on_case)
    size = " x ".join(map(str, planned.patch))
    typer.echo(
        printable(f"{planned.network}, patches of {size} voxels, batch {planned.batch}: {planned.origin}")
    )
    if budget := describe_budget(planned, limit_hours):
        typer.echo(budget)
    estimate = planned.estimate
    if estimate is not None and estimate.device == "cpu" and estimate.hours > LONG_HOURS:
        LOG.warning(
            "a training of %.0f hours: use a GPU, or --recipe fast for a first result", estimate.hours
        )
    if not go:
        LOG.info("next: segcube prepare %s", out)
        return ExitCode.DONE
    return _go(run, device)


def _go(run: RunFolder, device: str) -> ExitCode:
    """Take a planned run to its submission."""
    from segcube.spec.submission import check_empty_folder

    weights = Path("weights") / run.name
    check_empty_folder(weights)
    code = prepare(run.root)
    if code is not ExitCode.DONE:
        return code
    train(run.root, device=device)
    validate(run.root, device=device)
    return collect(run.root, weights)
