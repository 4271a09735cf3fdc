"""A trial of one host: what it runs on, the folders that it mounts, and its outcome."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from segcube.core import EnvironmentFault, UsageError, count_of
from segcube.phantoms import PhantomSet, write_phantoms
from segcube.release.check.findings import Finding
from segcube.spec.hosts import DEFAULT_PARAMETERS, Host, Mount
from segcube.spec.submission import load_for_challenge, submission_folders

SEED = 2024
EDGE = 128
"""Voxels along each axis of a synthetic case; small, since trials test hosts and not labels."""


@dataclass(frozen=True)
class Workload:
    """A submission and the cases to run it on."""

    submission: str
    weights: Path
    """The submission's folder."""
    challenge: str
    """A key, or the path of a YAML file of the submission."""
    data: Path


def phantom_workloads(weights: Path, out: Path) -> list[Workload]:
    """Return each submission of a folder with a small synthetic case, which is written below `out`.

    Raises EnvironmentFault for a folder without a submission, and UsageError for a challenge that has none.
    """
    folders = submission_folders(weights)
    if not folders:
        raise EnvironmentFault("no submission", file=weights, expected="a folder with submission.yaml")
    workloads: list[Workload] = []
    for folder in folders:
        loaded = load_for_challenge(folder)
        cases = out / loaded.submission.name
        write_phantoms(PhantomSet(loaded.challenge, 1, SEED), cases, EDGE)
        workloads.append(_workload(folder, cases / "data"))
    return workloads


def workload_of(weights: Path, data: Path) -> Workload:
    """Return the only submission of a folder with the user's cases.

    Raises UsageError if the folder has several submissions.
    """
    folders = submission_folders(weights)
    if len(folders) != 1:
        names = f": {', '.join(folder.name for folder in folders)}" if folders else ""
        found = f"holds {count_of(len(folders), 'submission')}{names}"
        hint = "choose one with --weights"
        raise UsageError(found, file=weights, expected="one submission for the cases of --data", hint=hint)
    return _workload(folders[0], data)


def _workload(folder: Path, data: Path) -> Workload:
    submission = load_for_challenge(folder).submission
    own = folder / submission.challenge
    return Workload(submission.name, folder, str(own) if own.is_file() else submission.challenge, data)


UNKNOWN_UID = 12345
"""A user that exists on no system."""
UNPRIVILEGED_UID = 1000
"""The caller if root runs the trial: hosts do not run as root."""
Verdict: TypeAlias = Literal["passed", "failed", "not run"]


@dataclass(frozen=True)
class Trial:
    """A host, its workload, and the folder or file behind each mount, by target."""

    host: Host
    workload: Workload
    sources: Mapping[str, Path]

    def folder(self, content: str) -> Path:
        """Return the folder behind the first mount with that content."""
        return next(self.sources[m.target] for m in self.host.mounts if m.content == content)


@dataclass(frozen=True)
class Outcome:
    """Result of a trial."""

    host: Host
    submission: str
    verdict: Verdict
    seconds: float = 0.0
    why: str = ""
    findings: tuple[Finding, ...] = ()


def prepare(host: Host, workload: Workload, folder: Path) -> Trial:
    """Create the folders that a host mounts, writable for the user that it runs the image as."""
    sources: dict[str, Path] = {}
    for number, mount in enumerate(host.mounts):
        place = folder / f"{number}-{mount.content}"
        sources[mount.target] = _fill(mount, place, workload)
        if not mount.read_only:
            _make_writable(place, user_of(host))
    return Trial(host, workload, sources)


def user_of(host: Host) -> tuple[int, int] | None:
    """Return uid and gid that a host runs an image as; None for the image's own user."""
    if host.user == "image":
        return None
    if host.user == "unknown":
        return UNKNOWN_UID, UNKNOWN_UID
    return (os.getuid(), os.getgid()) if os.getuid() else (UNPRIVILEGED_UID, UNPRIVILEGED_UID)


def _fill(mount: Mount, place: Path, workload: Workload) -> Path:
    """Create what a host mounts; returns the folder or file to mount."""
    if mount.content == "data":
        # A copy, since a host may write to its data folder
        shutil.copytree(workload.data, place, symlinks=False)
    elif mount.content == "weights":
        shutil.copytree(workload.weights, place)
    else:
        place.mkdir(parents=True)
    if mount.content == "parameters" and mount.file:
        shutil.copyfile(DEFAULT_PARAMETERS, place / mount.file)
        return place / mount.file if mount.single_file else place
    if mount.content == "nothing" and mount.file:
        (place / mount.file).touch()
    return place


def _make_writable(place: Path, user: tuple[int, int] | None) -> None:
    if user is None or os.getuid() == user[0]:
        return
    if os.getuid():
        place.chmod(0o777)
        return
    for path in (place, *place.rglob("*")):
        os.chown(path, *user)
