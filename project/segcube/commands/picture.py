"""`segcube picture`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.leave import leave_with
from segcube.errors import printable


def picture(
    out: Annotated[Path, typer.Argument(help="Folder for the pictures.")],
    data: Annotated[Path, typer.Option(help="Folder of cases.")],
    maps: Annotated[Path, typer.Option(help="Folder of their label maps.")],
    challenge: Annotated[str, typer.Option(help="Whose names and labels they have.")],
) -> None:
    """Draw each case with its label map, as a PNG."""

    def run() -> int:
        from segcube.challenges import load_challenge
        from segcube.errors import CaseError
        from segcube.report.pictures import draw_folder

        def report(case: str, error: CaseError) -> None:
            typer.echo(printable(f"{case}: {error.code}: {error}"), err=True)

        def show(file: Path) -> None:
            typer.echo(printable(str(file)))

        return draw_folder(data, maps, load_challenge(challenge), out, show, report)

    leave_with(run)
