"""`segcube synthesize`: train a generative model on cases, sample labelled ones, and compare both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from segcube.cli.base.command import Command, Group
from segcube.cli.base.options import Device
from segcube.cli.base.process import prepare_for_torch
from segcube.cli.base.synthesis import (
    BaseModel,
    Count,
    First,
    Fold,
    Fresh,
    Layers,
    Masks,
    Model,
    ModelOption,
    ModelOut,
    Passes,
    Rank,
    RecipeName,
    ReportFile,
    Samples,
    SamplesOut,
    Seed,
    ValidatedRuns,
    Values,
)
from segcube.cli.base.training import Exact, Run, Steps
from segcube.core import LOG, ExitCode, UsageError, count_of, printable

if TYPE_CHECKING:
    from segcube.diffusion import QualityReport

synthesize = typer.Typer(name="synthesize", cls=Group, no_args_is_help=True, rich_markup_mode=None)


@synthesize.callback()
def start() -> None:
    """Train a diffusion model on cases, and sample labelled ones.

    The model makes images for label maps. Its samples train networks beside the cases (`segcube plan
    --extra`), and are never validated. docs/synthesis.md describes the whole way.

    \b
    Example:
      segcube synthesize train runs/ssa-1 --fold 0 -o models/ssa-0
      segcube synthesize sample models/ssa-0 -o samples/ssa-0 --count 50
      segcube synthesize report samples/ssa-0 --model models/ssa-0
    """


@synthesize.command("train", cls=Command)
def train_command(
    run: Run,
    out: ModelOut,
    fold: Fold,
    recipe: RecipeName = "flow",
    set_: Values = None,
    steps: Steps = None,
    init: BaseModel = None,
    lora: Layers = None,
    rank: Rank = 8,
    device: Device = "auto",
    fresh: Fresh = False,
    exact: Exact = False,
) -> ExitCode:
    """Train a generative model on the training cases of a run's fold.

    The cases are cached on the model's grid first. Continues where an earlier process stopped; signals act as
    in `segcube train`. Adapters are merged into the weights at the end. The samples of a model must not train
    a fold that validates one of its cases: train a model for each fold.

    Exit code: 0 done, 2 usage, 5 device, disk or cache not usable or a training that cannot go on, 75 ended
    by SIGUSR1, 130 by Ctrl-C, 143 by SIGTERM.

    \b
    Example:
      segcube synthesize train runs/ssa-1 --fold 0 -o models/ssa-0
      segcube synthesize train runs/ssa-1 --fold 0 --init models/adults --lora 'up_blocks.*' -o models/lora
    """
    prepare_for_torch()
    from segcube.diffusion import (
        Adapters,
        ModelFolder,
        ModelOptions,
        ModelRequest,
        load_diffusion_recipe,
        train_model,
    )
    from segcube.training import RunFolder
    from segcube.training.recipes import parse_overrides
    from segcube.training.run import parse_fold

    if lora and init is None:
        raise UsageError("--lora without --init", expected="a model to adapt: --init MODEL")
    adapters = Adapters(layers=tuple(lora), rank=rank, alpha=float(rank)) if lora else None
    known = load_diffusion_recipe(recipe, parse_overrides(set_ or ()))
    request = ModelRequest(RunFolder(run), parse_fold(fold), known, init, adapters)
    folder = ModelFolder(out)
    counters = train_model(request, folder, ModelOptions(steps, device, fresh, exact))
    LOG.info("%s; weights in %s", count_of(counters.step, "step"), folder.final)
    if fold == "all":
        LOG.warning("trained on all cases: its samples can train no fold that is validated")
    LOG.info("next: segcube synthesize sample %s -o samples/%s --count 50", out, out.name)
    return ExitCode.DONE


@synthesize.command("sample", cls=Command)
def sample_command(
    model: Model,
    out: SamplesOut,
    count: Count = 1,
    masks: Masks = "deformed",
    seed: Seed = 0,
    first: First = None,
    steps: Passes = None,
    device: Device = "auto",
) -> ExitCode:
    """Sample labelled cases from a model.

    Writes images to data, label maps to labels, the challenge on the model's grid to challenge.yaml. The file
    origin.yaml beside the images lists the patients that the model was trained on, none of whom may be
    validated where the samples train. Samples that are there already are kept.

    \b
    Example:
      segcube synthesize sample models/ssa-0 -o samples/ssa-0 --count 50
      segcube plan data --challenge brats2024-ssa --out runs/more --extra samples/ssa-0/data \\
        --extra-ref samples/ssa-0/labels --extra-challenge samples/ssa-0/challenge.yaml \\
        --split runs/ssa-1/folds.yaml
      segcube train runs/more --fold 0
    """
    prepare_for_torch()
    from segcube.core import case_bar
    from segcube.diffusion import ModelFolder, SampleRequest, write_samples

    request = SampleRequest(ModelFolder(model), count, masks, seed, first, steps, device)
    with case_bar("sampling") as on_case:
        for name in write_samples(request, out, on_case):
            typer.echo(printable(name))
    LOG.info("%s in %s, labels in %s", count_of(count, "sample"), out / "data", out / "labels")
    LOG.info("next: segcube synthesize report %s --model %s, or train on them:", out, model)
    extra = f"--extra {out / 'data'} --extra-ref {out / 'labels'} --extra-challenge {out / 'challenge.yaml'}"
    LOG.info("next: segcube plan DATA --challenge KEY --out RUN %s --split RUN_OF_MODEL/folds.yaml", extra)
    return ExitCode.DONE


@synthesize.command("report", cls=Command)
def report_command(
    samples: Samples,
    model: ModelOption,
    run: ValidatedRuns = None,
    report: ReportFile = None,
) -> ExitCode:
    """Compare samples with the cases that their model was trained on.

    Prints the quantities of `segcube phantoms --compare`, the training case that each sample resembles most,
    and which samples repeat one (a correlation of 0.9 or more of the differences from the mean case).

    \b
    Example:
      segcube synthesize report samples/ssa-0 --model models/ssa-0 --run runs/ssa --run runs/more
    """
    prepare_for_torch()
    from segcube.cli.base.tables import print_comparison
    from segcube.core import case_bar, write_atomic
    from segcube.diffusion import ModelFolder, report_quality
    from segcube.formats.nifti import check_replaceable
    from segcube.training import RunFolder

    check_replaceable(report, "a report of segcube", (b'"report": "samples"',))
    with case_bar("measuring") as on_case:
        found = report_quality(ModelFolder(model), samples, [RunFolder(one) for one in run or ()], on_case)
    if report is not None:
        write_atomic(report, found.as_json())
    print_comparison(found.comparison)
    _print_nearest(found)
    for name, regions in found.dice.items():
        values = ", ".join(
            f"{region} {'none' if dice is None else f'{dice:.3f}'}" for region, dice in regions.items()
        )
        typer.echo(f"Dice of {name}: {values}")
    return ExitCode.DONE


def _print_nearest(found: QualityReport) -> None:
    """Print how similar samples are to training cases, and these to each other."""
    if not found.nearest:
        typer.echo(
            "nearest training case: not measured, with one training case or patches smaller than a case"
        )
        return
    best = max(found.nearest, key=lambda name: found.nearest[name].correlation)
    nearest = found.nearest[best]
    typer.echo(f"nearest: {best} to {nearest.case}, correlation {nearest.correlation:.2f}")
    if found.nearest_real:
        highest = max(one.correlation for one in found.nearest_real.values())
        typer.echo(f"two training cases: correlation of up to {highest:.2f}")
    copies = [name for name, one in found.nearest.items() if one.is_copy]
    typer.echo(f"samples that repeat a training case: {', '.join(copies) or 'none'}")
