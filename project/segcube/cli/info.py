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

    Without a folder, lists each challenge: its key, channels, labels and scored regions. Of a submission:
    stages, branches, windows and members, with the network and the parameters of each weights file.

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
