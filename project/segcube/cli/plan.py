"""`segcube plan`: check labelled cases, plan a training, and with --go do all that follows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from segcube.cli.base.options import Challenge, Device
from segcube.cli.base.planning import (
    Configuration,
    ExtraChallenges,
    ExtraFolders,
    ExtraLabelFolders,
    ExtraLabels,
    FreshPlan,
    Go,
    IgnoreLabel,
    LabelFolder,
    LabelledData,
    LimitHours,
    MemoryGb,
    Plans,
    Previous,
    RecipeName,
    RunOut,
    Sample,
    SampleSeed,
    SplitOf,
    Synthetic,
    TrainOnly,
    Values,
)
from segcube.cli.base.process import prepare_for_torch
from segcube.cli.base.training import Steps
from segcube.cli.train import collect, prepare_all, train_all, validate_all
from segcube.core import LOG, ExitCode, UsageError, printable

if TYPE_CHECKING:
    from segcube.training import RunFolder
    from segcube.training.plan import Plan

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
    extra: ExtraFolders = None,
    extra_challenge: ExtraChallenges = None,
    extra_ref: ExtraLabelFolders = None,
    extra_label: ExtraLabels = None,
    sample: Sample = None,
    seed: SampleSeed = 1,
    train_only: TrainOnly = True,
    synthetic: Synthetic = None,
    previous: Previous = None,
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
    fingerprint.json and problems.csv to the run's folder. Runs a few steps on the device; where memory is
    short it splits the batch or uses gradient checkpointing, as loss and recipe permit. Estimates hours and
    memory.

    Exit code: 0 done, 2 usage or data that cannot be trained on, 5 device or disk not usable; with --go also
    those of `segcube train`.

    \b
    Example:
      segcube plan data --challenge brats2024-ssa --recipe mednext-b-k3 --out runs/ssa
      segcube plan data --challenge mbas2024 --recipe fast --out runs/atria --go
      segcube plan africa --challenge brats2024-ssa --extra adults --extra-challenge brats2023-gli \\
        --sample 60 --recipe mednext-b-k3 --out runs/ssa
    """
    prepare_for_torch()
    from segcube.cli.base.extra import extra_data, extra_rules
    from segcube.core import case_bar
    from segcube.spec.submission import check_empty_folder
    from segcube.training import PlanRequest, RunFolder, load_recipe, plan_run
    from segcube.training.recipes import parse_overrides

    values = parse_overrides(set_ or ())
    if steps is not None:
        values["steps"] = steps
    if synthetic is not None:
        values["synthetic"] = _with_share(values.get("synthetic"), synthetic)
    run, weights = RunFolder(out), Path("weights") / out.resolve().name
    if go and not run.plan.exists():
        # Before the cases are read
        check_empty_folder(weights)
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
        extra=extra_data(extra, extra_challenge, extra_ref, sample),
        extra_rules=extra_rules(extra_label, seed, in_folds=not train_only),
        previous=previous,
    )
    with case_bar("reading") as on_case:
        planned = plan_run(request, run, fresh=fresh, on_case=on_case)
    _print_plan(planned, limit_hours)
    _log_folds_of_samples(run)
    if go:
        return _go(run, device, weights)
    LOG.info("next: segcube prepare %s", out)
    return ExitCode.DONE


def _with_share(synthetic: object, share: float) -> dict[str, object] | None:
    """The recipe's phantoms with another share; none for 0."""
    if not share:
        return None
    if synthetic is not None and not isinstance(synthetic, dict):
        raise UsageError(f"--set synthetic={synthetic}", expected="such as --set synthetic.spacing=3")
    return {**(synthetic or {}), "share": share}


def _log_folds_of_samples(run: RunFolder) -> None:
    """Warn of folds that the samples of a generative model must not train."""
    from segcube.training.run import count_folds, sampled_validation

    numbers = range(count_folds(run))
    refused = [fold for fold in numbers if any(True for _ in sampled_validation(run, fold))]
    if refused:
        folds, others = (
            ", ".join(map(str, some)) for some in (refused, [n for n in numbers if n not in refused])
        )
        message = "not to be trained with these samples, which were made from cases of validation patients"
        LOG.warning(f"folds %s: {message}; other folds: %s", folds, others or "none")


def _print_plan(plan: Plan, limit_hours: float | None) -> None:
    """Print network, patch and estimate; a training that takes too long is pointed out."""
    from segcube.training.plan import describe_budget

    size, axes = " x ".join(map(str, plan.patch)), ", ".join(plan.branch.axes)
    spacing = " x ".join(f"{length:.3g}" for length in plan.spacing)
    patch = f"patches of {size} voxels of {spacing} mm ({axes})"
    typer.echo(printable(f"{plan.network}, {patch}, batch {plan.batch}: {plan.origin}"))
    if budget := describe_budget(plan, limit_hours):
        typer.echo(budget)
    estimate = plan.estimate
    if estimate is not None and estimate.device == "cpu" and estimate.hours > LONG_HOURS:
        hint = "use a GPU, or --recipe fast for a first result"
        LOG.warning("a training of %.0f hours on the CPU; %s", estimate.hours, hint)


def _go(run: RunFolder, device: str, weights: Path) -> ExitCode:
    """Take a planned run to its submission; cases that cannot be prepared end it."""
    from segcube.spec.submission import check_empty_folder
    from segcube.training import TrainOptions, ValidateOptions
    from segcube.training.run import count_folds, is_collected

    if is_collected(run, weights):
        LOG.info("%s holds the submission of this run; next: segcube check submission %s", weights, weights)
        return ExitCode.DONE
    # Before the hours of a training
    check_empty_folder(weights)
    code = prepare_all(run)
    if code is not ExitCode.DONE:
        return code
    train_all(run, range(count_folds(run)), TrainOptions(device=device))
    code = validate_all(run, (), ValidateOptions(device=device))
    collect([run.root], weights)
    return code
