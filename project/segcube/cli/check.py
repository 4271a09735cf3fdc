"""`segcube check`: cases, label maps, submissions, and all hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from segcube.cli.base.command import Command, Group
from segcube.cli.base.options import AsJson, ChallengeByNames, Data, Device, Submission
from segcube.core import LOG

if TYPE_CHECKING:
    from segcube.release.check import CheckReport

check = typer.Typer(name="check", cls=Group, no_args_is_help=True, rich_markup_mode=None)

Strict: TypeAlias = Annotated[bool, typer.Option("--strict", help="Count warnings as errors.")]


@check.callback()
def start() -> None:
    """Find what an evaluator or a host would reject, before it does.

    Each check prints all findings: the file, what was found and expected, and how to fix it.

    Exit code: 0 no errors, 2 usage, 3 errors.

    \b
    Example:
      segcube check output maps -i data --challenge brats2024-ssa
    """


@check.command("input", cls=Command)
def check_input(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of cases.")],
    challenge: ChallengeByNames = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> int:
    """Check cases before they are predicted.

    Reads every file completely. Reports wrong names, missing and duplicate channels, damaged files, grids
    that differ between channels, and unusual values and geometry.

    \b
    Example:
      segcube check input data --challenge brats2024-ssa
    """
    from segcube.release.check import check_input

    return _print(check_input(folder, challenge), strict, as_json)


@check.command("output", cls=Command)
def check_output(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of label maps.")],
    data: Data,
    challenge: ChallengeByNames = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> int:
    """Check label maps before they are submitted.

    Reports wrong names, other files, missing and duplicate maps, damage, permissions, shapes, affines and
    spacings that differ from the case, wrong data types and labels, and copies of another map.

    \b
    Example:
      segcube check output maps -i data --challenge brats2024-ssa
    """
    from segcube.release.check import check_output

    return _print(check_output(folder, data, challenge), strict, as_json)


@check.command("submission", cls=Command)
def check_submission(
    folder: Submission,
    device: Device = "auto",
    strict: Strict = False,
    as_json: AsJson = False,
) -> int:
    """Check a submission before it is packed.

    Reports problems of submission.yaml, of weights files and their sha256, and of networks that do not fit
    their branch. Then predicts one window with each member and one synthetic case with all of them.

    \b
    Example:
      segcube check submission weights/NAME
    """
    from segcube.release.check import check_submission

    return _print(check_submission(folder, device, LOG.debug if as_json else LOG.info), strict, as_json)


def _print(report: CheckReport, strict: bool, as_json: bool) -> int:
    """Print a report; returns the exit code."""
    from segcube.release.check import print_report

    print_report(report, strict, as_json)
    return report.exit_code(strict)


@check.command("hosts", cls=Command)
def check_hosts(
    host: Annotated[
        list[str] | None,
        typer.Option(help="Host to try, such as medperf-0.2; repeat it for several. Default: all."),
    ] = None,
    image: Annotated[str | None, typer.Option(help="Image to start. Default: segcube:latest.")] = None,
    process: Annotated[
        bool,
        typer.Option("--process", help="Start the image's entry point as a process, without an image."),
    ] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            "-w",
            "--weights",
            help="With --process: a submission, or a folder of several. Default: the starters.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("-i", "--data", help="Folder of cases to predict. Default: synthetic cases."),
    ] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> int:
    """Start the image on this machine as each host starts it.

    Hosts differ in arguments, mounts, user, network and shared memory. Each one passes if the exit code is 0,
    `check output` finds no error, the inputs are unchanged and the labels are the same under all hosts.

    \b
    Example:
      segcube check hosts --image REGISTRY/TEAM/NAME:TAG
      segcube check hosts --process -w weights/NAME --host sealed
    """
    from segcube.release.trial import (
        NOT_PROVED_BY_PROCESS,
        HostSelection,
        exit_code,
        outcome_line,
        print_trials,
        try_hosts,
    )

    selection = HostSelection(tuple(host or ()), image, process, weights, data)
    outcomes = try_hosts(selection, lambda outcome: LOG.info(outcome_line(outcome)))
    print_trials(outcomes, NOT_PROVED_BY_PROCESS if process else "", strict=strict, as_json=as_json)
    return exit_code(outcomes, strict)
