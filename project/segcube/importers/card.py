"""The model card of an imported submission."""

from __future__ import annotations

import re
from pathlib import Path

from segcube import __version__
from segcube.errors import printable
from segcube.importers.imported import Imported
from segcube.submission import Member, Submission, sha256_of

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
