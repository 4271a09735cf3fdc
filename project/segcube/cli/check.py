"""`segcube check hosts`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from segcube.cli.leave import leave_with
from segcube.core import printable

if TYPE_CHECKING:
    from segcube.release.check import CheckReport


check = typer.Typer(
    name="check",
    help="Fail before the evaluator does: all findings at once. Exit 0, or 3 with errors.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

ChallengeOf: TypeAlias = Annotated[
    str | None,
    typer.Option("--challenge", help="A key of `segcube info` or a YAML file; else the names say."),
]
Strict: TypeAlias = Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="For machines.")]


@check.command("input")
def check_input(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of cases.")],
    challenge: ChallengeOf = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Check cases before they are predicted.

    Names, missing and doubled channels, every file read whole, grids, values, geometry.
    """

    def run() -> int:
        from segcube.release.check import check_input

        return _tell(check_input(folder, challenge), strict, as_json)

    leave_with(run)


@check.command("output")
def check_output(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of label maps.")],
    data: Annotated[Path, typer.Option(help="Folder of the cases that they were made of.")],
    challenge: ChallengeOf = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Check label maps before they are handed in.

    Names, strays, missing and doubled maps, damage, shapes, affines, spacing, types, labels, copies,
    permissions.
    """

    def run() -> int:
        from segcube.release.check import check_output

        return _tell(check_output(folder, data, challenge), strict, as_json)

    leave_with(run)


@check.command("submission")
def check_submission(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a submission.")],
    device: Annotated[str, typer.Option(help="Of the dry run: auto, cpu, cuda or cuda:N.")] = "auto",
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Check a submission before it is packed.

    Schema, names, weights, sha256, networks, channels, and a dry run on a made window.
    """

    def run() -> int:
        from segcube.core import RunConsole
        from segcube.release.check import check_submission

        return _tell(check_submission(folder, device, RunConsole(quiet=as_json).say), strict, as_json)

    leave_with(run)


def _tell(report: CheckReport, strict: bool, as_json: bool) -> int:
    from segcube.release.check import print_report

    print_report(report, strict, as_json)
    return report.exit_code(strict)


@check.command("hosts")
def check_hosts(
    host: Annotated[
        list[str] | None, typer.Option(help="One of the hosts; may be repeated. All, if left out.")
    ] = None,
    image: Annotated[str | None, typer.Option(help="Image to start; segcube:latest, if left out.")] = None,
    process: Annotated[
        bool, typer.Option("--process", help="Start the entrypoint alone, without an image.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="With --process: a submission, or a folder of some.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Cases of your own in place of made ones.")] = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Try every host on this machine.

    Starts the image as each of them would, on made cases, and checks what it leaves behind.
    """

    def run() -> int:
        from segcube.release.trial import UNPROVED, Trials, exit_code, outcome_line, print_trials, try_hosts

        trials = Trials(tuple(host or ()), image, process, weights, data)
        outcomes = try_hosts(trials, lambda outcome: typer.echo(printable(outcome_line(outcome)), err=True))
        print_trials(outcomes, UNPROVED if process else "", strict=strict, as_json=as_json)
        return exit_code(outcomes, strict)

    leave_with(run)
