"""`segcube import mbas`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands import importing
from segcube.commands.leave import leave_with


def mbas(
    source: Annotated[
        Path, typer.Argument(help="The pickled .pth of one or both stages, or the last stage's model folder.")
    ],
    out: importing.Out,
    challenge: importing.ChallengeOf = "mbas2024",
    previous: Annotated[
        Path | None, typer.Option(help="With a model folder: that of the stage before.")
    ] = None,
    checkpoint: importing.CheckpointOf = "final",
    folds: importing.Folds = "",
    channels: importing.Channels = "",
    labels: importing.Labels = "",
    licence: importing.Licence = "unknown",
    citation: importing.Citation = None,
) -> None:
    """Import a two-stage model of MBAS.

    As anenbergb/MBAS trains them: the second stage runs behind the first one's mask.
    """

    def run() -> None:
        from segcube.importers.nnunet import import_mbas

        wishes = importing.wish(
            out, challenge, folds=folds, channels=channels, labels=labels, terms=(licence, citation)
        )
        importing.bring(source, out, lambda found: import_mbas(found, wishes, previous, checkpoint))

    leave_with(run)
