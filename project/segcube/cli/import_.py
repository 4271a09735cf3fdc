"""`segcube import`: one subcommand for each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segcube.cli.command import Command, Group
from segcube.cli.options import (
    Challenge,
    Channels,
    CheckpointOf,
    Citation,
    Folds,
    Labels,
    Licence,
    Mirrors,
    Out,
    Previous,
)
from segcube.core import LOG, printable

if TYPE_CHECKING:
    from segcube.importers import Imported, ImportOptions

import_ = typer.Typer(name="import", cls=Group, no_args_is_help=True, rich_markup_mode=None)


@import_.callback()
def start() -> None:
    """Convert a trained model to a submission; no code in it is run.

    \b
    Example:
      segcube import nnunet MODEL_FOLDER -o weights/NAME --challenge brats2024-ssa
    """


@import_.command(cls=Command)
def nnunet(
    source: Annotated[
        Path,
        typer.Argument(help="A model folder, with plans.json, dataset.json and fold_*; or an archive of it."),
    ],
    out: Out,
    challenge: Challenge,
    previous: Previous = None,
    checkpoint: CheckpointOf = "final",
    folds: Folds = "",
    channels: Channels = "",
    labels: Labels = "",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import an nnU-Net v2 model.

    Any 3d configuration, with labels or regions, cascades included.

    \b
    Example:
      segcube import nnunet MODEL_FOLDER -o weights/NAME --challenge brats2024-ssa --folds 0,1,2
    """
    from segcube.importers.nnunet import import_nnunet

    options = _options(out, challenge, (licence, citation), folds=folds, channels=channels, labels=labels)
    _import([source], out, lambda opened: import_nnunet(opened[0], options, previous, checkpoint))


@import_.command(cls=Command)
def mednext(
    source: Annotated[Path, typer.Argument(help="A model folder with fold_*, or an archive of it.")],
    out: Out,
    challenge: Challenge,
    folds: Folds = "",
    channels: Channels = "",
    labels: Labels = "",
    regions: Annotated[
        str,
        typer.Option(
            help="Regions of a network with a sigmoid for each, such as WT,TC,ET. Default: none, labels.",
            show_default=False,
        ),
    ] = "",
    checkpoint: Annotated[
        str, typer.Option(help="Name of the checkpoint in each fold.")
    ] = "model_final_checkpoint",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import a MedNeXt trained with nnU-Net v1, as MIC-DKFZ's MedNeXt v1 trains it.

    \b
    Example:
      segcube import mednext MODEL_FOLDER -o weights/NAME --challenge brats2023-gli
    """
    from segcube.importers import parse_names
    from segcube.importers.mednext import MedNeXtOptions, import_mednext

    options = _options(out, challenge, (licence, citation), folds=folds, channels=channels, labels=labels)
    settings = MedNeXtOptions(checkpoint, parse_names(regions))
    _import([source], out, lambda opened: import_mednext(opened[0], options, settings))


@import_.command("monai-bundle", cls=Command)
def monai_bundle(
    source: Annotated[Path, typer.Argument(help="A folder with configs/ and models/, or an archive of it.")],
    out: Out,
    challenge: Challenge,
    channels: Channels = "",
    labels: Labels = "",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import a MONAI bundle.

    The configuration is read; its expressions are not evaluated.

    \b
    Example:
      segcube import monai-bundle BUNDLE.zip -o weights/NAME --challenge brats2023-gli
    """
    from segcube.importers.monai_bundle import import_bundle

    options = _options(out, challenge, (licence, citation), channels=channels, labels=labels)
    _import([source], out, lambda opened: import_bundle(opened[0], options))


@import_.command(cls=Command)
def mbas(
    source: Annotated[
        Path, typer.Argument(help="The pickled .pth of one or both stages, or the last stage's model folder.")
    ],
    out: Out,
    challenge: Challenge = "mbas2024",
    previous: Previous = None,
    checkpoint: CheckpointOf = "final",
    folds: Folds = "",
    channels: Channels = "",
    labels: Labels = "",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import a two-stage model of MBAS.

    As anenbergb/MBAS trains it: the second stage runs within the mask of the first one.

    \b
    Example:
      segcube import mbas MODEL.pth -o weights/NAME
    """
    from segcube.importers.nnunet import import_mbas

    options = _options(out, challenge, (licence, citation), folds=folds, channels=channels, labels=labels)
    _import([source], out, lambda opened: import_mbas(opened[0], options, previous, checkpoint))


@import_.command(cls=Command)
def lightning(
    source: Annotated[
        list[Path], typer.Argument(help=".ckpt files, or folders of them; together they form one ensemble.")
    ],
    out: Out,
    challenge: Challenge,
    member_weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Weight of a checkpoint in the ensemble, for all regions or each, such as 1,0,0.5; once for "
            "each checkpoint. Default: 1."
        ),
    ] = None,
    channels: Channels = "",
    regions: Annotated[str, typer.Option(help="Regions that the networks predict.")] = "TC,WT,ET",
    window: Annotated[
        str,
        typer.Option(
            help="Window size, such as 128,160,112. Default: the patch of the training.", show_default=False
        ),
    ] = "",
    overlap: Annotated[float, typer.Option(min=0, max=0.95, help="Overlap of the windows.")] = 0.5,
    blend: Annotated[
        Literal["gaussian", "constant"], typer.Option(help="Importance of a window's voxels.")
    ] = "gaussian",
    mirrors: Mirrors = True,
    cast: Annotated[
        bool, typer.Option("--cast/--no-cast", help="Convert intensities to int16 and absolute values.")
    ] = True,
    percentiles: Annotated[
        str,
        typer.Option(
            help="Percentiles to scale between, such as 2,98. Default: none, the z-score.",
            show_default=False,
        ),
    ] = "",
    component_filter: Annotated[
        Literal["none", "validation", "challenge"],
        typer.Option("--filter", help="Component filter of BraTS-UGRIP to apply."),
    ] = "none",
    weights_of: Annotated[
        Literal["last", "average"],
        typer.Option(
            help="last: as saved, which BraTS-UGRIP validated and predicted with; average: the average of a "
            "schedule-free optimizer, which is meant for prediction, computed from its state."
        ),
    ] = "last",
    prefix: Annotated[
        str | None,
        typer.Option(help="Prefix of the network's entries, if there are two networks. Default: none."),
    ] = None,
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import Lightning checkpoints of a MedNeXt.

    MedNeXt v1 as BraTS-UGRIP trains it; several checkpoints are an ensemble.

    \b
    Example:
      segcube import lightning fold0.ckpt fold1.ckpt -o weights/NAME --challenge brats2024-ssa
    """
    from segcube.importers import parse_names, parse_numbers
    from segcube.importers.lightning import LightningOptions, import_lightning

    options = _options(out, challenge, (licence, citation), channels=channels)
    sides = parse_numbers(window, "--window", counts=(0, 3))
    bounds = parse_numbers(percentiles, "--percentiles", counts=(0, 2))
    settings = LightningOptions(
        regions=parse_names(regions),
        weights=tuple(parse_numbers(text, "--member-weights") for text in member_weights or ()),
        window=(int(sides[0]), int(sides[1]), int(sides[2])) if sides else None,
        overlap=overlap,
        blend=blend,
        flips=mirrors,
        cast=cast,
        percentiles=(bounds[0], bounds[1]) if bounds else None,
        filter=component_filter,
        prefix=prefix,
        weights_of=weights_of,
    )
    _import(source, out, lambda opened: import_lightning(opened, options, settings))


def _options(
    out: Path,
    challenge: str,
    terms: tuple[str, str | None],
    *,
    folds: str = "",
    channels: str = "",
    labels: str = "",
) -> ImportOptions:
    """Parse the shared options; terms: licence and citation. Raises UsageError."""
    from segcube.importers import ImportOptions, parse_labels, parse_names, read_target

    return ImportOptions(
        target=read_target(challenge),
        name=out.absolute().name,
        folds=parse_names(folds),
        channels=parse_names(channels),
        labels=parse_labels(labels),
        licence=terms[0],
        citation=terms[1],
    )


def _import(sources: Sequence[Path], out: Path, convert: Callable[[Sequence[Path]], Imported]) -> None:
    """Import sources as a submission, and print what was decided."""
    from segcube.importers import import_sources

    notes, submission = import_sources(sources, out, convert, LOG.info)
    for note in notes:
        typer.echo(printable(note))
    typer.echo(
        printable(f"{out}: {len(submission.members)} members, for {', '.join(submission.challenge_keys)}")
    )
