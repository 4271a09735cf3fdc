"""`segcube prepare`, `train`, `diagnose`, `validate` and `collect`: from a plan to a submission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from segcube.cli.base.options import CheckpointOf, Device, Licence, Out
from segcube.cli.base.process import prepare_for_torch
from segcube.cli.base.training import (
    Exact,
    Exports,
    FoldList,
    FoldToTrain,
    Freeze,
    FreshTraining,
    Init,
    Overfit,
    Reset,
    Run,
    Runs,
    SaveProbabilities,
    Steps,
    Tuned,
)
from segcube.core import LOG, ExitCode, UsageError, count_of, printable

if TYPE_CHECKING:
    from segcube.training import RunFolder, TrainOptions, ValidateOptions
    from segcube.training.run import FoldNumber


def prepare(run: Run) -> ExitCode:
    """Preprocess the cases of a run into its cache.

    Images are stored in half precision. Cases that are cached already are kept. Several processes may prepare
    one run at once, and an interrupted one leaves no incomplete case.

    Exit code: 0 done, 2 usage, 3 some cases cannot be prepared, 4 none can, 5 disk not usable.

    \b
    Example:
      segcube prepare runs/ssa
    """
    prepare_for_torch()
    from segcube.training import RunFolder

    code = prepare_all(RunFolder(run))
    if code is ExitCode.DONE:
        LOG.info("next: segcube train %s", run)
    return code


def prepare_all(run: RunFolder) -> ExitCode:
    """Prepare the cases of a run with a progress bar, and log what became of them."""
    from segcube.core import case_bar
    from segcube.training import prepare_run
    from segcube.training.run import read_dataset

    total = len(read_dataset(run).cases)
    written = kept = failed = 0
    with case_bar("preparing") as on_case:
        for outcome in prepare_run(run):
            on_case(outcome.name, total)
            written += outcome.written
            kept += not outcome.written and outcome.error is None
            if outcome.error is not None:
                failed += 1
                LOG.warning("%s: %s: %s", outcome.name, outcome.error.code, outcome.error)
    LOG.info("%d cases prepared, %d kept, %d failed", written, kept, failed)
    if failed:
        return ExitCode.NONE_DONE if failed == total else ExitCode.SOME_FAILED
    return ExitCode.DONE


def train(
    run: Run,
    fold: FoldToTrain = None,
    steps: Steps = None,
    device: Device = "auto",
    fresh: FreshTraining = False,
    init: Init = None,
    freeze: Freeze = None,
    reset: Reset = None,
    exact: Exact = False,
    log_to: Exports = None,
    overfit: Overfit = None,
) -> ExitCode:
    """Train the folds of a run.

    Continues where an earlier process stopped. Writes to fold_N: log.jsonl, progress.html, progress.png,
    first-batch.png, states, best.safetensors and, after the last step, final.safetensors. Ctrl-C and SIGTERM
    save the state and end. SIGUSR1 saves and ends with exit code 75, for schedulers that requeue the job.
    SIGUSR2 saves and pauses until the next SIGUSR2, a file fold_N/pause until it is removed.

    Exit code: 0 done, 2 usage, 5 device, disk or cache not usable or a training that cannot go on, 75 ended
    by SIGUSR1, 130 by Ctrl-C, 143 by SIGTERM.

    \b
    Example:
      segcube train runs/ssa --fold 0
      segcube train runs/ssa --fold all --steps 50000
      segcube train runs/ssa --init runs/adults --freeze ugrip --reset heads
    """
    prepare_for_torch()
    from segcube.training import RunFolder, StartRequest, TrainOptions
    from segcube.training.run import count_folds, overfit_fold, parse_fold

    folder = RunFolder(run)
    folds: list[FoldNumber] = [*range(count_folds(folder))] if fold is None else [parse_fold(fold)]
    start = StartRequest(init, tuple(freeze or ()), tuple(reset or ()))
    if overfit is not None:
        if start != StartRequest():
            raise UsageError("--overfit with --init, --freeze or --reset", expected="one of them")
        result = overfit_fold(folder, folds[0], overfit, device, steps)
        typer.echo(f"fold {folds[0]}: Dice {result.dice:.3f} of the training patches, {result.steps} steps")
        return ExitCode.DONE
    options = TrainOptions(
        steps=steps, device=device, fresh=fresh, exact=exact, exports=tuple(log_to or ()), start=start
    )
    train_all(folder, folds, options)
    if fold == "all":
        LOG.info("next: segcube collect %s --folds all -o weights/%s", run, folder.name)
    else:
        LOG.info("next: segcube validate %s", run)
    return ExitCode.DONE


def train_all(run: RunFolder, folds: Sequence[FoldNumber], options: TrainOptions) -> None:
    """Train folds in turn, and log what each reached."""
    from segcube.training import train_fold
    from segcube.training.run import check_samples

    # Before the first of them trains for hours
    for fold in folds:
        check_samples(run, fold)
    for fold in folds:
        counters = train_fold(run, fold, options)
        best = f", best mean Dice {counters.best:.3f}" if counters.best is not None else ""
        LOG.info("fold %s: %d steps%s; weights in %s", fold, counters.step, best, run.fold(fold).final)


def diagnose(run: Run) -> ExitCode:
    """Find out why a training does not train.

    Reads the logs of all folds and up to 12 of the cases, and reports a loss that stays flat, time spent on
    waiting for data, classes that are never predicted, the same output for every case, validations that get
    worse, labels that are mirrored or shifted against their images, and intensities that were rounded; each
    with what to do next.

    Exit code: 0 nothing found, 2 usage, 3 something found.

    \b
    Example:
      segcube diagnose runs/ssa
    """
    prepare_for_torch()
    from segcube.training import RunFolder
    from segcube.training.diagnosis import diagnose_run

    found = diagnose_run(RunFolder(run))
    for symptom in found:
        typer.echo(printable(f"{symptom.place}: {symptom.name}: {symptom.found}"))
        typer.echo(printable(f"  {symptom.then}"))
    if not found:
        typer.echo("nothing found")
    return ExitCode.SOME_FAILED if found else ExitCode.DONE


def validate(
    run: Run,
    folds: FoldList = None,
    checkpoint: CheckpointOf = "final",
    device: Device = "auto",
    save_probabilities: SaveProbabilities = False,
) -> ExitCode:
    """Predict and score the validation cases of each trained fold.

    Predicts as `segcube infer` does with the fold's weights, and scores as `segcube evaluate` does, on the
    cases' own grids. Writes maps, scores and pictures of the worst cases to validation/fold_N. Maps of an
    earlier validation with the same weights are kept.

    Exit code: 0 done, 2 usage, 3 some cases have no valid map or reference, 5 weights, disk or device not
    usable.

    \b
    Example:
      segcube validate runs/ssa --folds 0-4
    """
    prepare_for_torch()
    from segcube.training import RunFolder, ValidateOptions
    from segcube.training.run import parse_folds

    folder = RunFolder(run)
    options = ValidateOptions(checkpoint=checkpoint, device=device, save_probabilities=save_probabilities)
    code = validate_all(folder, parse_folds(folds) if folds is not None else (), options)
    LOG.info("next: segcube collect %s -o weights/%s", run, folder.name)
    return code


def validate_all(run: RunFolder, folds: Sequence[FoldNumber], options: ValidateOptions) -> ExitCode:
    """Validate folds, all that are trained by default, and print their scores."""
    from segcube.cli.base.tables import log_problems, print_scores
    from segcube.training import validate_run

    found = validate_run(run, folds, options)
    cases = {name: scores.regions for name, scores in found.cases.items()}
    title = f"{found.challenge}, profile {found.profile}, {count_of(len(cases), 'case')} out of fold"
    if cases:
        print_scores(title, found.mean, found.median, cases)
    notices = {name: scores.notices for name, scores in found.cases.items()}
    log_problems(found.problems, notices, (), found.bad_references)
    LOG.info("scores and maps in %s", run.validation)
    return ExitCode.SOME_FAILED if found.problems or found.bad_references else ExitCode.DONE


def collect(
    runs: Runs,
    out: Out,
    folds: FoldList = None,
    checkpoint: CheckpointOf = "final",
    tuned: Tuned = None,
    licence: Licence = "unknown",
) -> None:
    """Collect trained folds into a submission with a model card.

    Writes submission.yaml, the weights of each fold, their curves and MODEL_CARD.md, whose scores are those
    of `segcube validate`. --folds all takes the network of `train --fold all`. Several runs of a challenge
    become one submission, which averages the probabilities of their members.

    Exit code: 0 done, 2 usage, 5 a fold is not trained, or disk not usable.

    \b
    Example:
      segcube collect runs/ssa -o weights/ssa
      segcube collect runs/base runs/medium -o weights/both --tuned block.yaml
    """
    prepare_for_torch()
    from segcube.training import CollectOptions, RunFolder, collect_runs
    from segcube.training.run import TunedValues, parse_folds, read_tuned

    chosen = parse_folds(folds) if folds is not None else ()
    values = read_tuned(tuned) if tuned is not None else TunedValues()
    options = CollectOptions(tuple(chosen), checkpoint, licence, values)
    submission = collect_runs([RunFolder(run) for run in runs], out, options)
    LOG.info("%s of %s in %s", count_of(len(submission.members), "member"), submission.name, out)
    LOG.info("fill in what %s marks; next: segcube check submission %s", out / "MODEL_CARD.md", out)
