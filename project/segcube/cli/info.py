"""`segcube info`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.cli.options import AsJson


def info(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder of a submission. Default: list the challenges."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the challenges, or describe a submission.

    For a challenge: its key, channels, labels and scored regions. For a submission: its stages, branches,
    windows and members, with the network and the number of parameters of each weights file.

    \b
    Example:
      segcube info
      segcube info weights/NAME
      segcube info weights/NAME --json
    """
    from segcube.cli.tables import print_challenges, print_submission

    if folder is None:
        print_challenges(as_json)
    else:
        print_submission(folder, as_json)
