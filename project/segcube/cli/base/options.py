"""Options and arguments that several commands have: each has one name, one meaning and one text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from segcube.core import Checkpoint, UsageError

Data: TypeAlias = Annotated[Path, typer.Option("-i", "--data", help="Folder of cases.")]
Maps: TypeAlias = Annotated[Path, typer.Option("--maps", help="Folder of predicted label maps.")]
Ref: TypeAlias = Annotated[Path, typer.Option("--ref", help="Folder of reference label maps.")]
Submission: TypeAlias = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a submission.")]
Out: TypeAlias = Annotated[
    Path, typer.Option("-o", "--out", help="Folder of the new submission; must be new or empty.")
]

Place: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR", help="Folder to write to; required unless --out. Default: none.", show_default=False
    ),
]
OutOfPlace: TypeAlias = Annotated[
    Path | None, typer.Option("-o", "--out", help="Folder to write to, in place of DIR. Default: DIR.")
]


def folder_of(place: Path | None, out: Path | None) -> Path | None:
    """The folder of DIR or --out; None for neither. Raises UsageError for both."""
    if place is not None and out is not None:
        raise UsageError(f"two folders to write to, {place} and {out}", expected="DIR or --out")
    return place or out


def complete_challenge(incomplete: str) -> list[str]:
    """The keys of challenges that begin with a text, for the shell's completion."""
    from segcube.spec.challenges import challenge_keys

    return [key for key in challenge_keys() if key.startswith(incomplete)]


def challenge_option(text: str, variable: str | None = None) -> Any:
    """The option --challenge, whose keys the shell completes."""
    return typer.Option("--challenge", help=text, envvar=variable, autocompletion=complete_challenge)


Challenge: TypeAlias = Annotated[
    str,
    challenge_option(
        "Key of a challenge (`segcube info` lists them), or a YAML file that defines one "
        "(docs/submission-format.md describes it)."
    ),
]
ChallengeByNames: TypeAlias = Annotated[
    str | None,
    challenge_option(
        "Key of a challenge, or a YAML file that defines one. Default: the one challenge that the file names "
        "fit."
    ),
]
Profile: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Scoring rules: brats2023, brats2024, brats2026, mbas or plain. Default: the challenge's."
    ),
]
Device: TypeAlias = Annotated[
    str,
    typer.Option(
        help="auto, cpu, cuda or cuda:N. Default: auto, a GPU where one is visible, else the CPU.",
        show_default=False,
    ),
]
Mirrors: TypeAlias = Annotated[
    bool,
    typer.Option("--mirrors/--no-mirrors", help="Mirroring at test time, along the submission's axes."),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

CheckpointOf: TypeAlias = Annotated[
    Checkpoint, typer.Option(help="Checkpoint of each fold: the final or the best one.")
]
Previous: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Model folder of the first stage of a cascade. Default: none, a model of one stage."),
]
Folds: TypeAlias = Annotated[
    str, typer.Option(help="Folds to import, such as 0,1,2. Default: all in the source.", show_default=False)
]
Channels: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Names of the challenge's channels in the order of the source's, such as t1n,t1c,t2w,t2f. "
        "Default: matched by name.",
        show_default=False,
    ),
]
Labels: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Value of each of the challenge's labels in the source, such as wall=1,RA=2. Default: matched "
        "by name.",
        show_default=False,
    ),
]
Licence: TypeAlias = Annotated[str, typer.Option(help="Licence of the weights.")]
Citation: TypeAlias = Annotated[str | None, typer.Option(help="Publication to cite. Default: none.")]

NnunetFolder: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL_FOLDER",
        help="A model folder, with plans.json, dataset.json and fold_*; or an archive of it.",
    ),
]
MednextFolder: TypeAlias = Annotated[
    Path,
    typer.Argument(metavar="MODEL_FOLDER", help="A model folder with fold_*, or an archive of it."),
]
Bundle: TypeAlias = Annotated[
    Path,
    typer.Argument(metavar="BUNDLE", help="A folder with configs/ and models/, or an archive of it."),
]
MbasModel: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="The pickled .pth of one or both stages, or the last stage's model folder.",
    ),
]
LightningCheckpoints: TypeAlias = Annotated[
    list[Path],
    typer.Argument(
        metavar="CHECKPOINT", help=".ckpt files, or folders of them; together they form one ensemble."
    ),
]
SigmoidRegions: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Regions of a network with a sigmoid for each, such as WT,TC,ET. Default: none, labels.",
        show_default=False,
    ),
]
CheckpointName: TypeAlias = Annotated[str, typer.Option(help="Name of the checkpoint in each fold.")]
MirrorsAll: TypeAlias = Annotated[
    bool,
    typer.Option("--mirrors/--no-mirrors", help="Mirroring at test time, along all three axes."),
]
MemberWeights: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WEIGHTS",
        help="Weight of a checkpoint in the ensemble, for all regions or each, such as 1,0,0.5; once for "
        "each checkpoint. Default: 1.",
    ),
]
NetworkRegions: TypeAlias = Annotated[str, typer.Option(help="Regions that the networks predict.")]
WindowSides: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Window size, such as 128,160,112. Default: the patch of the training.", show_default=False
    ),
]
Overlap: TypeAlias = Annotated[float, typer.Option(min=0, max=0.95, help="Overlap of the windows.")]
Blend: TypeAlias = Annotated[
    Literal["gaussian", "constant"], typer.Option(help="Importance of a window's voxels.")
]
Cast: TypeAlias = Annotated[
    bool, typer.Option("--cast/--no-cast", help="Convert intensities to int16 and absolute values.")
]
Percentiles: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Percentiles to scale between, such as 2,98. Default: none, the z-score.", show_default=False
    ),
]
ComponentFilter: TypeAlias = Annotated[
    Literal["none", "validation", "challenge"],
    typer.Option("--filter", help="Component filter of BraTS-UGRIP to apply."),
]
WeightsOf: TypeAlias = Annotated[
    Literal["last", "average"],
    typer.Option(
        help="last: as saved, which BraTS-UGRIP validated and predicted with; average: the average of a "
        "schedule-free optimizer, which is meant for prediction, computed from its state."
    ),
]
Prefix: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Prefix of the network's entries, if there are two networks. Default: none."),
]
