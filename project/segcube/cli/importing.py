"""Options that the kinds of `segcube import` share, and the run of an import."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from segcube.core import Checkpoint, printable

if TYPE_CHECKING:
    from segcube.importers import Imported, ImportOptions

Out: TypeAlias = Annotated[Path, typer.Option(help="Folder of the submission: new, or empty.")]
ChallengeOf: TypeAlias = Annotated[
    str, typer.Option(help="Key of `segcube info`, or a YAML file of your own, which is copied.")
]
CheckpointOf: TypeAlias = Annotated[Checkpoint, typer.Option(help="Which of each fold's checkpoints.")]
Folds: TypeAlias = Annotated[str, typer.Option(help="Such as 0,1,2 or all; default: all that are found.")]
Channels: TypeAlias = Annotated[
    str, typer.Option(help="The challenge's channels in the source's order, such as t1n,t1c,t2w,t2f.")
]
Labels: TypeAlias = Annotated[
    str, typer.Option(help="The source's value of each of the challenge's labels, such as wall=1,RA=2.")
]
Licence: TypeAlias = Annotated[str, typer.Option(help="Licence of the weights.")]
Citation: TypeAlias = Annotated[str | None, typer.Option(help="What to cite.")]


def build_options(
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


def run_import(sources: Sequence[Path], out: Path, convert: Callable[[Sequence[Path]], Imported]) -> None:
    """Unpack sources that are archives, convert them and write the submission to `out`.

    convert: reads the unpacked folders and files. Raises UsageError and EnvironmentFault; `out` is then as it
    was.
    """
    from contextlib import ExitStack

    from pydantic import ValidationError

    from segcube.backends import check_members
    from segcube.backends.openvino import compile_if_possible
    from segcube.core import UsageError, explain_validation_error
    from segcube.importers import opened_source, write_imported
    from segcube.spec.submission import LoadedSubmission, Submission, check_empty_folder

    def check_and_compile(loaded: LoadedSubmission) -> None:
        check_members(loaded)
        compile_if_possible(loaded, lambda line: typer.echo(printable(line), err=True))

    check_empty_folder(out)
    with ExitStack() as stack:
        opened = [stack.enter_context(opened_source(source, out)) for source in sources]
        try:
            imported = convert(opened)
            submission = write_imported(imported, out, check_and_compile)
        except ValidationError as error:
            raise UsageError(
                f"does not become a valid submission: {explain_validation_error(error, Submission)}",
                file=sources[0],
            ) from error
    for note in imported.notes:
        typer.echo(printable(note))
    typer.echo(
        printable(f"{out}: {len(submission.members)} members, for {', '.join(submission.challenge_keys)}")
    )
