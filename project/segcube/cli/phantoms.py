"""`segcube phantoms`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.cli.leave import leave_with
from segcube.core import printable


def phantoms(
    out: Annotated[Path, typer.Argument(help="Folder for data/ and labels/.")],
    challenge: Annotated[str, typer.Option(help="Whose names and geometry the cases have.")],
    count: Annotated[int, typer.Option(min=1, help="How many cases.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same cases.")] = 0,
) -> None:
    """Make cases with known labels.

    No patient is in them; names and geometry are a challenge's.
    """

    def run() -> None:
        from segcube.phantoms import write_phantoms
        from segcube.spec.challenges import load_challenge

        for name in write_phantoms(load_challenge(challenge), count, seed, out):
            typer.echo(printable(name))

    leave_with(run)
