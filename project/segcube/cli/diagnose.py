"""`segcube diagnose`: why a training does not train."""

from __future__ import annotations

import typer

from segcube.cli.base.process import prepare_for_torch
from segcube.cli.base.training import Run
from segcube.core import ExitCode, printable


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
