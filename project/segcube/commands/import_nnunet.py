"""`segcube import nnunet`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands import importing
from segcube.commands.leave import leave_with


def nnunet(
    source: Annotated[
        Path,
        typer.Argument(help="A model folder, with plans.json, dataset.json and fold_*; or an archive of it."),
    ],
    out: importing.Out,
    challenge: importing.ChallengeOf,
    previous: Annotated[
        Path | None, typer.Option(help="For a cascade: the model folder of its earlier stage.")
    ] = None,
    checkpoint: importing.CheckpointOf = "final",
    folds: importing.Folds = "",
    channels: importing.Channels = "",
    labels: importing.Labels = "",
    licence: importing.Licence = "unknown",
    citation: importing.Citation = None,
) -> None:
    """Import an nnU-Net v2.

    Any 3d configuration, labels or regions, cascades too.
    """

    def run() -> None:
        from segcube.importers.nnunet import import_nnunet

        wishes = importing.wish(
            out, challenge, folds=folds, channels=channels, labels=labels, terms=(licence, citation)
        )
        importing.bring(source, out, lambda found: import_nnunet(found, wishes, previous, checkpoint))

    leave_with(run)
