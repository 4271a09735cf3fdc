"""`segcube import`: one subcommand for each kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from segcube.cli.importing import (
    ChallengeOf,
    Channels,
    CheckpointOf,
    Citation,
    Folds,
    Labels,
    Licence,
    Out,
    build_options,
    run_import,
)
from segcube.cli.process import run_command


def lightning(
    source: Annotated[list[Path], typer.Argument(help="Files .ckpt, or folders of them: one ensemble.")],
    out: Out,
    challenge: ChallengeOf,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="A checkpoint's weight, for all regions or each, such as 1,0,0.5; once for each."),
    ] = None,
    channels: Channels = "",
    regions: Annotated[str, typer.Option(help="Regions that the networks predict.")] = "TC,WT,ET",
    window: Annotated[str, typer.Option(help="Such as 128,160,112; default: the trained patch.")] = "",
    overlap: Annotated[float, typer.Option(min=0, max=0.99)] = 0.5,
    blend: Literal["gaussian", "constant"] = "gaussian",
    flips: Annotated[bool, typer.Option("--flips/--no-flips", help="Mirror along all axes.")] = True,
    cast: Annotated[bool, typer.Option("--cast/--no-cast", help="To int16 and absolute values.")] = True,
    percentiles: Annotated[str, typer.Option(help="Such as 2,98: instead of the z-score.")] = "",
    component_filter: Annotated[
        Literal["none", "validation", "challenge"],
        typer.Option("--filter", help="Which of BraTS-UGRIP's filters of components to apply."),
    ] = "none",
    weights_of: Annotated[
        Literal["last", "average"],
        typer.Option(
            help="last: as saved, which BraTS-UGRIP validated and predicted with; average: the average of a "
            "schedule-free optimizer, which is meant for prediction, computed from its state."
        ),
    ] = "last",
    prefix: Annotated[str | None, typer.Option(help="Of the network's entries, if there are two.")] = None,
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import Lightning checkpoints of a MedNeXt.

    MedNeXt v1 as BraTS-UGRIP trains it; several checkpoints are an ensemble.
    """

    def run() -> None:
        from segcube.importers import parse_names, parse_numbers
        from segcube.importers.lightning import LightningOptions, import_lightning

        options = build_options(out, challenge, (licence, citation), channels=channels)
        sides = parse_numbers(window, "--window", counts=(0, 3))
        bounds = parse_numbers(percentiles, "--percentiles", counts=(0, 2))
        settings = LightningOptions(
            regions=parse_names(regions),
            weights=tuple(parse_numbers(text, "--weights") for text in weights or ()),
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
        run_import(source, out, lambda opened: import_lightning(opened, options, settings))

    run_command(run)


def mbas(
    source: Annotated[
        Path, typer.Argument(help="The pickled .pth of one or both stages, or the last stage's model folder.")
    ],
    out: Out,
    challenge: ChallengeOf = "mbas2024",
    previous: Annotated[
        Path | None, typer.Option(help="With a model folder: the model folder of the first stage.")
    ] = None,
    checkpoint: CheckpointOf = "final",
    folds: Folds = "",
    channels: Channels = "",
    labels: Labels = "",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import a two-stage model of MBAS.

    As anenbergb/MBAS trains it: the second stage runs within the mask of the first one.
    """

    def run() -> None:
        from segcube.importers.nnunet import import_mbas

        options = build_options(
            out, challenge, (licence, citation), folds=folds, channels=channels, labels=labels
        )
        run_import([source], out, lambda opened: import_mbas(opened[0], options, previous, checkpoint))

    run_command(run)


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
        from segcube.importers.mednext import MedNeXtOptions, import_mednext

        options = build_options(
            out, challenge, (licence, citation), folds=folds, channels=channels, labels=labels
        )
        settings = MedNeXtOptions(checkpoint, parse_names(regions))
        run_import([source], out, lambda opened: import_mednext(opened[0], options, settings))

    run_command(run)


def monai_bundle(
    source: Annotated[Path, typer.Argument(help="Folder with configs/ and models/, or an archive of it.")],
    out: Out,
    challenge: ChallengeOf,
    channels: Channels = "",
    labels: Labels = "",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import a MONAI bundle.

    The configuration is read; its expressions are not evaluated.
    """

    def run() -> None:
        from segcube.importers.monai_bundle import import_bundle

        options = build_options(out, challenge, (licence, citation), channels=channels, labels=labels)
        run_import([source], out, lambda opened: import_bundle(opened[0], options))

    run_command(run)


def nnunet(
    source: Annotated[
        Path,
        typer.Argument(help="A model folder, with plans.json, dataset.json and fold_*; or an archive of it."),
    ],
    out: Out,
    challenge: ChallengeOf,
    previous: Annotated[
        Path | None, typer.Option(help="For a cascade: the model folder of its first stage.")
    ] = None,
    checkpoint: CheckpointOf = "final",
    folds: Folds = "",
    channels: Channels = "",
    labels: Labels = "",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import an nnU-Net v2 model.

    Any 3d configuration, with labels or regions, cascades included.
    """

    def run() -> None:
        from segcube.importers.nnunet import import_nnunet

        options = build_options(
            out, challenge, (licence, citation), folds=folds, channels=channels, labels=labels
        )
        run_import([source], out, lambda opened: import_nnunet(opened[0], options, previous, checkpoint))

    run_command(run)


import_ = typer.Typer(
    name="import",
    help="Convert a trained model to a submission; no code in it is run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@import_.callback()
def start() -> None:
    """Keep subcommands even if only one is registered."""


import_.command("lightning")(lightning)
import_.command("mbas")(mbas)
import_.command("mednext")(mednext)
import_.command("monai-bundle")(monai_bundle)
import_.command("nnunet")(nnunet)
