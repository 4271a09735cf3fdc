"""`segcube check`: findings before the evaluator has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from segcube.commands.leave import leave_with

if TYPE_CHECKING:
    from segcube.harness.checks import CheckReport

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
        from segcube.harness.checks import check_input

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
        from segcube.harness.checks import check_output

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
        from segcube.harness.checks.check_submission import check_submission
        from segcube.report import RunConsole

        return _tell(check_submission(folder, device, RunConsole(quiet=as_json).say), strict, as_json)

    leave_with(run)


def _tell(report: CheckReport, strict: bool, as_json: bool) -> int:
    from segcube.harness.checks import print_report

    print_report(report, strict, as_json)
    return report.exit_code(strict)
