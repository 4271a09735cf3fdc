"""`segcube info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.cli.leave import leave_with


def info(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a submission.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Tell what a submission holds.

    Its stages, windows and members; without a folder, the challenges that are known.
    """

    def run() -> None:
        from segcube.cli.tables import print_challenges, print_submission

        if folder is None:
            print_challenges(as_json)
        else:
            print_submission(folder, as_json)

    leave_with(run)
