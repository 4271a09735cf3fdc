"""The model card of an imported submission."""

from __future__ import annotations

from pathlib import Path

from segcube import __version__
from segcube.importers.imported import Imported
from segcube.submission import Member, Submission, sha256_of

FILE_NAME = "MODEL_CARD.md"
UNKNOWN = "unknown: say it here and in submission.yaml before you hand this in"


def write_card(imported: Imported, submission: Submission, folder: Path) -> None:
    """Write MODEL_CARD.md: where the weights came from, what was decided, and what is left to say."""
    (folder / FILE_NAME).write_text(_text(imported, submission), encoding="utf-8")


def _text(imported: Imported, submission: Submission) -> str:
    challenge = imported.target.challenge
    licence = UNKNOWN if submission.licence == "unknown" else submission.licence
    rows = [row for member in submission.members for row in _rows(member, imported)]
    notes = [f"- {note}" for note in imported.notes]
    return "\n".join(
        (
            f"# {submission.name}",
            "",
            f"Imported by segcube {__version__} from {imported.framework}, for {challenge.title}.",
            "",
            f"- **Licence:** {licence}.",
            f"- **Citation:** {submission.citation or UNKNOWN}.",
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
    return [f"| {member.file} | {file.parent.name}/{file.name} | {sha256_of(file)} |" for file in files]
