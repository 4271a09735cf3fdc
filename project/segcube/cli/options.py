"""Options and arguments that several commands have: each has one name, one meaning and one text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from segcube.core import Checkpoint

Data: TypeAlias = Annotated[Path, typer.Option("-i", "--data", help="Folder of cases.")]
Maps: TypeAlias = Annotated[Path, typer.Option("--maps", help="Folder of predicted label maps.")]
Ref: TypeAlias = Annotated[Path, typer.Option("--ref", help="Folder of reference label maps.")]
Submission: TypeAlias = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a submission.")]
Out: TypeAlias = Annotated[
    Path, typer.Option("-o", "--out", help="Folder of the new submission; must be new or empty.")
]


def complete_challenge(incomplete: str) -> list[str]:
    """The keys of challenges that begin with a text, for the shell's completion."""
    from segcube.spec.challenges import challenge_keys

    return [key for key in challenge_keys() if key.startswith(incomplete)]


def challenge_option(text: str, variable: str | None = None) -> Any:
    """The option --challenge, whose keys the shell completes."""
    return typer.Option("--challenge", help=text, envvar=variable, autocompletion=complete_challenge)


Challenge: TypeAlias = Annotated[
    str, challenge_option("Key of a challenge, or a YAML file that defines one.")
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
Device: TypeAlias = Annotated[str, typer.Option(help="Device: auto, cpu, cuda or cuda:N.")]
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
