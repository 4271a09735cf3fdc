"""What the kinds of `segcube import` share: their options, and how an import runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from segcube.core import Checkpoint, printable

if TYPE_CHECKING:
    from segcube.importers import Imported, Wishes

Out: TypeAlias = Annotated[Path, typer.Option(help="Folder of the submission: new, or empty.")]
ChallengeOf: TypeAlias = Annotated[
    str, typer.Option(help="Key of `segcube info`, or a YAML file of your own, which is copied.")
]
CheckpointOf: TypeAlias = Annotated[Checkpoint, typer.Option(help="Which of each fold's checkpoints.")]
Folds: TypeAlias = Annotated[
    str, typer.Option(help="Such as 0,1,2 or all; without it, those that are there.")
]
Channels: TypeAlias = Annotated[
    str, typer.Option(help="The challenge's channels in the source's order, such as t1n,t1c,t2w,t2f.")
]
Labels: TypeAlias = Annotated[
    str, typer.Option(help="The source's value of each of the challenge's labels, such as wall=1,RA=2.")
]
Licence: TypeAlias = Annotated[str, typer.Option(help="Of the weights.")]
Citation: TypeAlias = Annotated[str | None, typer.Option(help="What to cite.")]


def wish(
    out: Path,
    challenge: str,
    *,
    folds: str = "",
    channels: str = "",
    labels: str = "",
    terms: tuple[str, str | None] = ("unknown", None),
) -> Wishes:
    """The shared options in the importers' terms; terms: licence and citation. Raises UsageError."""
    from segcube.importers import Wishes, parse_labels, parse_names, read_target

    return Wishes(
        target=read_target(challenge),
        name=out.absolute().name,
        folds=parse_names(folds),
        channels=parse_names(channels),
        labels=parse_labels(labels),
        licence=terms[0],
        citation=terms[1],
    )


def bring(source: Path, out: Path, read: Callable[[Path], Imported]) -> None:
    """Read a source, unpacked if it is an archive, and write its submission.

    read: makes sense of the source's folder or file. Raises UsageError and EnvironmentFault.
    """
    bring_all([source], out, lambda found: read(found[0]))


def bring_all(sources: Sequence[Path], out: Path, read: Callable[[Sequence[Path]], Imported]) -> None:
    """Read several sources as one, as `bring` does."""
    from contextlib import ExitStack

    from pydantic import ValidationError

    from segcube.backends import check_members
    from segcube.backends.openvino import compile_if_possible
    from segcube.core import UsageError, explain
    from segcube.importers import opened_source, write_imported
    from segcube.spec.submission import LoadedSubmission, Submission, expect_room

    def check_and_compile(loaded: LoadedSubmission) -> None:
        check_members(loaded)
        compile_if_possible(loaded, lambda line: typer.echo(printable(line), err=True))

    expect_room(out)
    with ExitStack() as opened:
        found = [opened.enter_context(opened_source(source, out)) for source in sources]
        try:
            imported = read(found)
            submission = write_imported(imported, out, check_and_compile)
        except ValidationError as error:
            raise UsageError(
                f"gives no sound submission: {explain(error, Submission)}", file=sources[0]
            ) from error
    for note in imported.notes:
        typer.echo(printable(note))
    typer.echo(printable(f"{out}: {len(submission.members)} members, for {', '.join(submission.keys)}"))
