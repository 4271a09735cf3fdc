"""`segcube import`: a subcommand a kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from segcube.cli import importing
from segcube.cli.importing import ChallengeOf, Channels, Citation, Folds, Labels, Licence, Out, bring, wish
from segcube.cli.leave import leave_with


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
        from segcube.importers.monai_bundle import import_bundle

        wishes = importing.wish(out, challenge, channels=channels, labels=labels, terms=(licence, citation))
        importing.bring(source, out, lambda folder: import_bundle(folder, wishes))

    leave_with(run)


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


import_ = typer.Typer(
    name="import",
    help="Bring a trained model, running nothing in it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@import_.callback()
def start() -> None:
    """Keep the kinds' names, however many there are."""


import_.command("lightning")(lightning)
import_.command("mbas")(mbas)
import_.command("mednext")(mednext)
import_.command("monai-bundle")(monai_bundle)
import_.command("nnunet")(nnunet)
