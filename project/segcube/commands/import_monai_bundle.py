"""`segcube import monai-bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands import importing
from segcube.commands.leave import leave_with


def monai_bundle(
    source: Annotated[Path, typer.Argument(help="Folder with configs/ and models/, or an archive of it.")],
    out: importing.Out,
    challenge: importing.ChallengeOf,
    channels: importing.Channels = "",
    labels: importing.Labels = "",
    licence: importing.Licence = "unknown",
    citation: importing.Citation = None,
) -> None:
    """Import a MONAI bundle.

    Its configuration is read, never run.
    """

    def run() -> None:
        from segcube.importers.bundle import import_bundle

        wishes = importing.wish(out, challenge, channels=channels, labels=labels, terms=(licence, citation))
        importing.bring(source, out, lambda folder: import_bundle(folder, wishes))

    leave_with(run)
