"""`segcube import mednext`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.importing import (
    ChallengeOf,
    Channels,
    Citation,
    Folds,
    Labels,
    Licence,
    Out,
    bring,
    wish,
)
from segcube.commands.leave import leave_with


def mednext(
    source: Annotated[Path, typer.Argument(help="Model folder with fold_*, or an archive of it.")],
    out: Out,
    challenge: ChallengeOf,
    folds: Folds = "",
    channels: Channels = "",
    labels: Labels = "",
    regions: Annotated[str, typer.Option(help="Outputs of a network with a sigmoid a region.")] = "",
    checkpoint: Annotated[str, typer.Option(help="File name in a fold.")] = "model_final_checkpoint",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import a MedNeXt trained in nnU-Net v1.

    MIC-DKFZ's MedNeXt v1.
    """

    def run() -> None:
        from segcube.importers import parse_names
        from segcube.importers.mednext import MedNeXtWishes, import_mednext

        terms = (licence, citation)
        wishes = wish(out, challenge, folds=folds, channels=channels, labels=labels, terms=terms)
        own = MedNeXtWishes(checkpoint, parse_names(regions))
        bring(source, out, lambda folder: import_mednext(folder, wishes, own))

    leave_with(run)
