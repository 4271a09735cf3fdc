"""An imported submission: its parts, and how its folder is written with a model card."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from segcube import __version__
from segcube.core import EnvironmentFault, UsageError, printable
from segcube.importers.options import Target
from segcube.networks import save_weights
from segcube.spec.submission import (
    LoadedSubmission,
    Member,
    Submission,
    atomic_folder,
    load_for_challenge,
    sha256_of,
    write_submission,
)

State: TypeAlias = Mapping[str, torch.Tensor]
"""A state_dict."""
Check: TypeAlias = Callable[[LoadedSubmission], None]
PENDING = "0" * 64
"""Placeholder of a sha256 until the member's file is written."""
CARD = "MODEL_CARD.md"
MAX_TEXT = 500
"""Letters of a text from a source that the card quotes."""
MARKDOWN = re.compile(r"[\\`*\[\]<>|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^(?:[#+=-]|\d+(?=[.)]))")
"""Markdown syntax: anywhere, at the edge of a word, or at the start of a text."""
UNKNOWN = "unknown: add it here and in submission.yaml before you submit"


@dataclass(frozen=True)
class Source:
    """The network and the weights of one member."""

    network: str
    """A key of `segcube.networks.NETWORKS`."""
    arguments: Mapping[str, object]
    files: tuple[Path, ...]
    """Files for the model card, the one with the weights first."""
    read: Callable[[], State]
    """Loads the weights; called when they are written, so that one member's are in memory at a time."""


@dataclass(frozen=True)
class Imported:
    """A submission whose members are not yet written."""

    submission: Submission
    """With `PENDING` as sha256 of its members."""
    sources: Mapping[str, Source]
    """By member file."""
    target: Target
    framework: str
    """The framework that trained the networks, for the model card."""
    notes: tuple[str, ...] = ()
    """Decisions of the import, a sentence each."""


def pending(file: str, weight: float | dict[str, float] = 1.0) -> Member:
    """Describe a member whose file is not yet written."""
    return Member(file=file, sha256=PENDING, weight=weight)


def write_imported(imported: Imported, out: Path, check: Check = lambda _: None) -> Submission:
    """Write submission.yaml, a safetensors file for each member and MODEL_CARD.md; return the submission.

    One member's weights are in memory at a time. `out` appears whole or not at all. check: may raise, before
    the folder appears. Raises UsageError when `out` is not empty, EnvironmentFault for weights that are not
    finite or do not fit their network, with the first ten keys, and for a folder that cannot be written.
    """
    with atomic_folder(out) as folder:
        # The files of members are plain names, which their model checks
        files = [member.file for member in imported.submission.members]
        digests = {file: _save(imported.sources[file], folder / file) for file in files}
        submission = _with_digests(imported.submission, digests)
        if imported.target.file:
            shutil.copyfile(imported.target.file, folder / imported.target.file.name)
        write_submission(submission, folder)
        (folder / CARD).write_text(_card(imported, submission), encoding="utf-8")
        check(load_for_challenge(folder))
    return submission


def _save(source: Source, file: Path) -> str:
    notes = "imported from " + ", ".join(path.name for path in source.files)
    try:
        return save_weights(source.read(), source.network, source.arguments, file, notes)
    except (UsageError, EnvironmentFault) as error:
        # Name the source file, which the user can find; the new file was never written
        if error.file != file:
            raise
        raise EnvironmentFault(
            error.found, file=source.files[0], expected=error.expected, hint=error.hint
        ) from error


def _with_digests(submission: Submission, digests: Mapping[str, str]) -> Submission:
    content = submission.model_dump(by_alias=True, exclude_unset=True)
    for stage in content["stages"]:
        for branch in stage["branches"]:
            for member in branch["members"]:
                member["sha256"] = digests[member["file"]]
    return Submission.model_validate(content)


def plain_text(text: str) -> str:
    """Escape a text from a source to one line without Markdown, of at most 500 letters."""
    line = printable(" ".join(text.split()))
    line = line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}..."
    # A number before a dot begins a list; only the dot can be escaped
    return MARKDOWN.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", line)


def _card(imported: Imported, submission: Submission) -> str:
    """Model card: sources, decisions, and what is left to the user."""
    framework, title = plain_text(imported.framework), plain_text(imported.target.challenge.title)
    licence = UNKNOWN if submission.licence == "unknown" else submission.licence
    # The last folder distinguishes folds; the ones above it are private to the user
    rows = [
        f"| {plain_text(member.file)} | {plain_text(f'{file.parent.name}/{file.name}')} | {sha256_of(file)} |"
        for member in submission.members
        for file in imported.sources[member.file].files
    ]
    notes = [f"- {plain_text(note)}" for note in imported.notes]
    lines = (
        f"# {submission.name}",
        "",
        f"Imported by segcube {__version__} from {framework}, for {title}.",
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
        *(notes or ["- Nothing: the source specified everything."]),
        "",
    )
    return "\n".join(lines)
