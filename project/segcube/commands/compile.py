"""`segcube compile`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.leave import leave_with
from segcube.errors import EnvironmentFault, printable


def compile_(
    weights: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a submission.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the graphs; DIR, if left out.")] = None,
) -> None:
    """Compile a submission's networks for OpenVINO.

    A graph a member lies beside the weights then, and runs on a CPU need no torch.
    """

    def run() -> None:
        from segcube.backends.compiling import compile_submission
        from segcube.backends.graphs import NoGraphs
        from segcube.submission import load_for

        def tell(line: str) -> None:
            typer.echo(printable(line), err=True)

        place = out or weights
        try:
            size = compile_submission(load_for(weights), place, tell)
        except NoGraphs as error:
            raise EnvironmentFault(str(error), mend="run it with --backend torch") from error
        typer.echo(printable(f"{place}: graphs of {size / 1e6:.2f} MB"))

    leave_with(run)
