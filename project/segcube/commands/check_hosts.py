"""`segcube check hosts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.check import AsJson, Strict, check
from segcube.commands.leave import leave_with
from segcube.errors import printable


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
        from segcube.harness.trials import UNPROVED, Trials, exit_code, outcome_line, print_trials, try_hosts

        trials = Trials(tuple(host or ()), image, process, weights, data)
        outcomes = try_hosts(trials, lambda outcome: typer.echo(printable(outcome_line(outcome)), err=True))
        print_trials(outcomes, UNPROVED if process else "", strict=strict, as_json=as_json)
        return exit_code(outcomes, strict)

    leave_with(run)
