"""Write an imported submission: members, submission.yaml and the model card."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePath

from segcube import __version__
from segcube.core import EnvironmentFault, UsageError, printable
from segcube.importers.requests import Imported, Source
from segcube.networks import save_weights
from segcube.spec.submission import (
    LoadedSubmission,
    Member,
    Submission,
    load_for,
    sha256_of,
    whole_folder,
    write_submission,
)

FILE_NAME = "MODEL_CARD.md"
LONGEST = 500
"""Letters of a text that comes from a source."""
STRUCTURE = re.compile(r"[\\`*\[\]<>|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^(?:[#+=-]|\d+(?=[.)]))")
"""What Markdown takes for more than text: anywhere, beside words, or where a text begins."""
UNKNOWN = "unknown: say it here and in submission.yaml before you hand this in"


def write_card(imported: Imported, submission: Submission, folder: Path) -> None:
    """Write MODEL_CARD.md: where the weights came from, what was decided, and what is left to say."""
    (folder / FILE_NAME).write_text(_text(imported, submission), encoding="utf-8")


def plain_text(text: str) -> str:
    """One line that Markdown shows as it stands, whatever a source calls its trainer, labels or files."""
    line = printable(" ".join(text.split()))
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
    return STRUCTURE.sub(_escape, line)


def _escape(found: re.Match[str]) -> str:
    # A number before a dot begins a list; a backslash may stand before the dot alone
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def _text(imported: Imported, submission: Submission) -> str:
    challenge = imported.target.challenge
    licence = UNKNOWN if submission.licence == "unknown" else submission.licence
    rows = [row for member in submission.members for row in _rows(member, imported)]
    notes = [f"- {plain_text(note)}" for note in imported.notes]
    return "\n".join(
        (
            f"# {submission.name}",
            "",
            f"Imported by segcube {__version__} from {plain_text(imported.framework)}, for "
            f"{plain_text(challenge.title)}.",
            "",
            f"- **Licence:** {plain_text(licence)}.",
            f"- **Citation:** {plain_text(submission.citation or UNKNOWN)}.",
            "",
            "## Where it came from",
            "",
            "| member | source | sha256 of the source |",
            "|---|---|---|",
            *rows,
            "",
            "## What was decided",
            "",
            *(notes or ["- Nothing: the source said it all."]),
            "",
        )
    )


def _rows(member: Member, imported: Imported) -> list[str]:
    files = imported.sources[member.file].files
    # The last folder tells folds apart; the ones above it are somebody's own
    return [
        f"| {plain_text(member.file)} | {plain_text(f'{file.parent.name}/{file.name}')} | {sha256_of(file)} |"
        for file in files
    ]


Check = Callable[[LoadedSubmission], None]


def write_imported(imported: Imported, out: Path, check: Check = lambda _: None) -> Submission:
    """Write submission.yaml, a safetensors a member and MODEL_CARD.md into `out`; returns the submission.

    One member's weights are in memory at a time. check: looks at the whole folder before it appears. Raises
    UsageError when `out` holds something, EnvironmentFault for weights that do not fit their network, with
    the first ten keys that are missing, unexpected or of another shape, or that are not finite, and for a
    folder that cannot be written.
    """
    with whole_folder(out) as folder:
        written = _fill(imported, folder)
        check(load_for(folder))
    return written


def _fill(imported: Imported, folder: Path) -> Submission:
    for file in imported.sources:
        if file != PurePath(file).name:
            raise EnvironmentFault(
                f"member {file!r} would lie outside the folder", expected="a plain file name"
            )
    digests = {file: _save(source, folder / file) for file, source in imported.sources.items()}
    submission = _with_digests(imported.submission, digests)
    if imported.target.file:
        shutil.copyfile(imported.target.file, folder / imported.target.file.name)
    write_submission(submission, folder)
    write_card(imported, submission, folder)
    return submission


def _save(source: Source, file: Path) -> str:
    notes = "imported from " + ", ".join(path.name for path in source.files)
    try:
        return save_weights(source.read(), source.network, source.arguments, file, notes)
    except (UsageError, EnvironmentFault) as error:
        # Whoever reads this knows the file that the weights came from, not the one that never came to be
        if error.file != file:
            raise
        raise EnvironmentFault(
            error.found, file=source.files[0], expected=error.expected, hint=error.hint
        ) from error


def _with_digests(submission: Submission, digests: dict[str, str]) -> Submission:
    stages = tuple(
        stage.model_copy(
            update={
                "branches": tuple(
                    branch.model_copy(
                        update={
                            "members": tuple(
                                member.model_copy(update={"sha256": digests[member.file]})
                                for member in branch.members
                            )
                        }
                    )
                    for branch in stage.branches
                )
            }
        )
        for stage in submission.stages
    )
    return submission.model_copy(update={"stages": stages})
