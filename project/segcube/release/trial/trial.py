"""One host's try: the folders that it mounts, and how it ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from segcube.core import EnvironmentFault, UsageError
from segcube.phantoms import write_phantoms
from segcube.release.check.findings import Finding
from segcube.spec.hosts import DEFAULT_PARAMETERS, Host, Mount
from segcube.spec.submission import load_for, submission_folders

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


STRANGER = 12345
"""A user that no system knows."""
UNPRIVILEGED = 1000
"""Who calls where root runs the trial: hosts do not run as root."""
Verdict: TypeAlias = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Trial:
    """A host, what it is tried with, and the folder or file behind each of its mounts, by target."""

    host: Host
    subject: Subject
    sources: Mapping[str, Path]

    def folder(self, content: str) -> Path:
        """The folder behind the first mount of that content."""
        return next(self.sources[m.target] for m in self.host.mounts if m.content == content)


@dataclass(frozen=True)
class Outcome:
    """What a host's try showed."""

    host: Host
    submission: str
    verdict: Verdict
    seconds: float = 0.0
    why: str = ""
    findings: tuple[Finding, ...] = ()


def prepare(host: Host, subject: Subject, folder: Path) -> Trial:
    """Make the folders that a host mounts, owned by the user that it runs as if this process may."""
    sources: dict[str, Path] = {}
    for number, mount in enumerate(host.mounts):
        place = folder / f"{number}-{mount.content}"
        sources[mount.target] = _fill(mount, place, subject)
        if not mount.read_only:
            _hand_over(place, user_of(host))
    return Trial(host, subject, sources)


def user_of(host: Host) -> tuple[int, int] | None:
    """uid and gid that a host runs an image as; None for the image's own."""
    if host.user == "image":
        return None
    if host.user == "stranger":
        return STRANGER, STRANGER
    return (os.getuid(), os.getgid()) if os.getuid() else (UNPRIVILEGED, UNPRIVILEGED)


def _fill(mount: Mount, place: Path, subject: Subject) -> Path:
    if mount.content == "data":
        copy_cases(subject.data, place)
    elif mount.content == "weights":
        shutil.copytree(subject.weights, place)
    else:
        place.mkdir(parents=True)
    if mount.content == "parameters" and mount.file:
        shutil.copyfile(DEFAULT_PARAMETERS, place / mount.file)
        return place / mount.file if mount.alone else place
    if mount.content == "nothing" and mount.file:
        (place / mount.file).touch()
    return place


def _hand_over(place: Path, user: tuple[int, int] | None) -> None:
    if user is None or os.getuid() == user[0]:
        return
    if os.getuid():
        place.chmod(0o777)
        return
    for path in (place, *place.rglob("*")):
        os.chown(path, *user)
