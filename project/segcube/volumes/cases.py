"""Find the cases of a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from segcube.challenges import Challenge
from segcube.errors import CaseError, Code, UsageError
from segcube.types import Case

ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Refusal:
    """A case that cannot even be read, with the files that it has."""

    case: Case
    error: CaseError


@dataclass(frozen=True)
class Discovery:
    """What a folder holds: cases sorted by name, those refused, and what was ignored and why."""

    cases: tuple[Case, ...]
    refused: tuple[Refusal, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass
class _Found:
    """The files of one case, a list a channel."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)


def discover(folder: Path, challenge: Challenge) -> Discovery:
    """Find a challenge's cases in a folder, by the names of their files.

    Files lie flat or in case folders, one deep; a challenge that is walked has them anywhere. Missing and
    doubled channels refuse their case. Raises UsageError when the folder cannot be listed.
    """
    found: dict[str, _Found] = {}
    ignored: list[str] = []
    for file in _files(folder, 64 if challenge.layout == "walk" else 1, ignored):
        place = _place(file.name, challenge)
        if place is None:
            ignored.append(f"{file.relative_to(folder)} (no channel of {challenge.key})")
            continue
        name, channel = place
        case = found.setdefault(name, _Found())
        case.files.setdefault(channel, []).append(file)
        case.folders.add(file.parent)
        if file.parent != folder and challenge.layout == "folders" and file.parent.name != name:
            ignored.append(f"the folder's name {file.parent.name}: its files say {name}")
    cases: list[Case] = []
    refused: list[Refusal] = []
    for name in sorted(found):
        case, error = _judge(name, found[name], challenge)
        if error is None:
            cases.append(case)
        else:
            refused.append(Refusal(case, error))
    return Discovery(tuple(cases), tuple(refused), tuple(dict.fromkeys(ignored)))


def _files(folder: Path, depth: int, ignored: list[str]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(
            f"cannot be listed: {error.strerror}", file=folder, expected="a folder of cases"
        ) from error
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):
            ignored.append(f"{entry.name} (hidden)")
        elif entry.is_dir() and not entry.name.endswith(ENDINGS):
            if depth:
                yield from _files(path, depth - 1, ignored)
            else:
                ignored.append(f"{entry.name}/ (deeper than case folders lie)")
        else:
            yield path


def _place(name: str, challenge: Challenge) -> tuple[str, str] | None:
    """The case and the channel that a file's name tells, if any."""
    ending = next((ending for ending in ENDINGS if name.endswith(ending)), None)
    if ending is None:
        return None
    stem = name.removesuffix(ending)
    for channel in challenge.channels:
        for suffix in channel.suffixes:
            case = stem.removesuffix(suffix)
            if case != stem and challenge.is_case(case):
                return case, channel.name
    return None


def _judge(name: str, found: _Found, challenge: Challenge) -> tuple[Case, CaseError | None]:
    case = Case(name, {channel: files[0] for channel, files in found.files.items()}, challenge.reference)
    doubled = next((files for files in found.files.values() if len(files) > 1), None)
    if doubled:
        names = " and ".join(str(file) for file in doubled)
        return case, CaseError(Code.DUPLICATE, f"{names} are one channel", expected="one file a channel")
    missing = [c for c in challenge.channel_names if c not in found.files or not _exists(found.files[c][0])]
    if missing:
        expected = ", ".join(challenge.channel_names)
        told = f"{', '.join(missing)} of {name} missing in {' and '.join(map(str, sorted(found.folders)))}"
        return case, CaseError(Code.MISSING_MODALITY, told, expected=expected, mend="add the missing files")
    return case, None


def _exists(file: Path) -> bool:
    """Whether a name leads somewhere; a dangling link does not."""
    try:
        return file.exists()
    except OSError:
        return False
