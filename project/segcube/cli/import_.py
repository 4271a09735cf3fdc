"""`segcube import`: one subcommand for each kind of source."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from segcube.cli.base.command import Command, Group
from segcube.cli.base.options import (
    Blend,
    Bundle,
    Cast,
    Challenge,
    Channels,
    CheckpointName,
    CheckpointOf,
    Citation,
    ComponentFilter,
    Folds,
    Labels,
    Licence,
    LightningCheckpoints,
    MbasModel,
    MednextFolder,
    MemberWeights,
    MirrorsAll,
    NetworkRegions,
    NnunetFolder,
    Out,
    Overlap,
    Percentiles,
    Prefix,
    Previous,
    SigmoidRegions,
    WeightsOf,
    WindowSides,
)
from segcube.core import LOG, count_of, printable

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
    source: NnunetFolder,
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

    Any configuration, with labels or regions, 2d and cascades included.

    \b
    Example:
      segcube import nnunet MODEL_FOLDER -o weights/NAME --challenge brats2024-ssa --folds 0,1,2
    """
    from segcube.importers.nnunet import import_nnunet

    options = _options(out, challenge, (licence, citation), folds=folds, channels=channels, labels=labels)
    _import([source], out, lambda opened: import_nnunet(opened[0], options, previous, checkpoint))


@import_.command(cls=Command)
def mednext(
    source: MednextFolder,
    out: Out,
    challenge: Challenge,
    folds: Folds = "",
    channels: Channels = "",
    labels: Labels = "",
    regions: SigmoidRegions = "",
    checkpoint: CheckpointName = "model_final_checkpoint",
    licence: Licence = "unknown",
    citation: Citation = None,
) -> None:
    """Import a MedNeXt v1 of MIC-DKFZ.

    Reads the folders of nnU-Net v1, with which it is trained.

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
    source: Bundle,
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
    source: MbasModel,
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
    source: LightningCheckpoints,
    out: Out,
    challenge: Challenge,
    member_weights: MemberWeights = None,
    channels: Channels = "",
    regions: NetworkRegions = "TC,WT,ET",
    window: WindowSides = "",
    overlap: Overlap = 0.5,
    blend: Blend = "gaussian",
    mirrors: MirrorsAll = True,
    cast: Cast = True,
    percentiles: Percentiles = "",
    component_filter: ComponentFilter = "none",
    weights_of: WeightsOf = "last",
    prefix: Prefix = None,
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
        mirroring=mirrors,
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
    members = count_of(len(submission.members), "member")
    typer.echo(printable(f"{out}: {members}, for {', '.join(submission.challenge_keys)}"))
    typer.echo(printable(f"next: {shlex.join(['segcube', 'check', 'submission', str(out)])}"))
