"""What a host is given: a submission, and cases of its challenge."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from segcube.errors import EnvironmentFault, UsageError
from segcube.harness.made.phantoms import write_phantoms
from segcube.submission import load_for, submission_folders

SEED = 2024
EDGE = 128
"""Voxels a side of a made case: hosts are tried, not labels."""


@dataclass(frozen=True)
class Subject:
    """A submission, and a folder of cases to try it on."""

    submission: str
    weights: Path
    """The submission's folder."""
    challenge: str
    """A key, or the path of the submission's own YAML."""
    data: Path


def made_subjects(weights: Path, out: Path, count: int = 1) -> list[Subject]:
    """Each submission of a folder with `count` small made cases of its challenge, written below `out`.

    Raises EnvironmentFault for a folder without a submission, and UsageError for a challenge that no case can
    be made for.
    """
    folders = submission_folders(weights)
    if not folders:
        raise EnvironmentFault("no submission", file=weights, expected="a folder with submission.yaml")
    subjects: list[Subject] = []
    for folder in folders:
        loaded = load_for(folder)
        cases = out / loaded.submission.name
        write_phantoms(loaded.challenge, count, SEED, cases, EDGE)
        subjects.append(_subject(folder, cases / "data"))
    return subjects


def given_subject(weights: Path, data: Path) -> Subject:
    """The one submission of a folder with cases of one's own; the original files stay as they are.

    Raises UsageError when the folder holds several submissions.
    """
    folders = submission_folders(weights)
    if len(folders) != 1:
        raise UsageError(f"{len(folders)} submissions", file=weights, expected="one, for cases of your own")
    return _subject(folders[0], data)


def copy_cases(data: Path, to: Path) -> None:
    """A folder of cases for one host, which may write there without harm."""
    shutil.copytree(data, to, symlinks=False)


def _subject(folder: Path, data: Path) -> Subject:
    submission = load_for(folder).submission
    own = folder / submission.challenge
    return Subject(submission.name, folder, str(own) if own.is_file() else submission.challenge, data)
