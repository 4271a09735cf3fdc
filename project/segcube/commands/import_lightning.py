"""`segcube import lightning`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from segcube.commands import importing
from segcube.commands.leave import leave_with


def lightning(
    source: Annotated[list[Path], typer.Argument(help="Files .ckpt, or folders of them: one ensemble.")],
    out: importing.Out,
    challenge: importing.ChallengeOf,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="A checkpoint's say, for all regions or each, such as 1,0,0.5; once for each."),
    ] = None,
    channels: importing.Channels = "",
    regions: Annotated[str, typer.Option(help="The networks' outputs.")] = "TC,WT,ET",
    window: Annotated[str, typer.Option(help="Such as 128,160,112; else the hyper-parameters'.")] = "",
    overlap: Annotated[float, typer.Option(min=0, max=0.99)] = 0.5,
    blend: Literal["gaussian", "constant"] = "gaussian",
    flips: Annotated[bool, typer.Option("--flips/--no-flips", help="Mirrors along all axes.")] = True,
    cast: Annotated[bool, typer.Option("--cast/--no-cast", help="To int16 and absolute values.")] = True,
    percentiles: Annotated[str, typer.Option(help="Such as 2,98: instead of the z-score.")] = "",
    component_filter: Annotated[
        Literal["none", "validation", "challenge"], typer.Option("--filter", help="BraTS-UGRIP's bounds.")
    ] = "none",
    weights_of: Annotated[
        Literal["last", "average"],
        typer.Option(
            help="last: as saved, which BraTS-UGRIP validated and predicted with; average: the one that a "
            "schedule-free optimizer means for prediction, computed from its state."
        ),
    ] = "last",
    prefix: Annotated[str | None, typer.Option(help="Of the network's entries, if there are two.")] = None,
    licence: importing.Licence = "unknown",
    citation: importing.Citation = None,
) -> None:
    """Import Lightning checkpoints of a MedNeXt.

    MedNeXt v1 as BraTS-UGRIP trains it; several checkpoints are an ensemble.
    """

    def run() -> None:
        from segcube.importers import parse_names, parse_numbers
        from segcube.importers.lightning import LightningWishes, import_lightning

        wishes = importing.wish(out, challenge, channels=channels, terms=(licence, citation))
        sides = parse_numbers(window, "--window", counts=(0, 3))
        bounds = parse_numbers(percentiles, "--percentiles", counts=(0, 2))
        own = LightningWishes(
            regions=parse_names(regions),
            weights=tuple(parse_numbers(say, "--weights") for say in weights or ()),
            window=(int(sides[0]), int(sides[1]), int(sides[2])) if sides else None,
            overlap=overlap,
            blend=blend,
            flips=flips,
            cast=cast,
            percentiles=(bounds[0], bounds[1]) if bounds else None,
            filter=component_filter,
            prefix=prefix,
            weights_of=weights_of,
        )
        importing.bring_all(source, out, lambda found: import_lightning(found, wishes, own))

    leave_with(run)
