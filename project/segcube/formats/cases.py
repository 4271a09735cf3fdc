"""Find the cases of a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from segcube.core import Case, CaseError, Code, UsageError
from segcube.spec.challenges import Challenge, nifti_stem, parse_name


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

    @property
    def fits(self) -> bool:
        """Whether the name of any file is the challenge's; folders alone may be another challenge's."""
        return bool(self.cases) or any(refusal.case.files for refusal in self.refused)


@dataclass
class _Found:
    """The files of one case, a list a channel."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)


@dataclass
class _Listing:
    """The files of a folder, and what was passed over."""

    folder: Path
    depth: int
    """How many folders below it are listed."""
    files: list[Path] = field(default_factory=list)
    folders: dict[Path, str] = field(default_factory=dict)
    """Each folder below, and why it was not listed; empty when it was."""
    unreadable: set[Path] = field(default_factory=set)
    ignored: list[str] = field(default_factory=list)

    def ignore(self, path: Path, why: str) -> None:
        # A name may hold bytes that are no text
        name = str(path.relative_to(self.folder)).encode(errors="replace").decode()
        self.ignored.append(f"{name} ({why})")


def discover(folder: Path, challenge: Challenge) -> Discovery:
    """Find a challenge's cases in a folder, by the names of their files.

    Files lie flat or in case folders, one deep; a challenge that is walked has them anywhere. Links to files
    count, links to folders are not followed. Missing and doubled channels refuse their case, and so does a
    folder that is named like a case and holds none of it. Raises UsageError when the folder cannot be listed.
    """
    listing = _Listing(folder, 64 if challenge.layout == "walk" else 1)
    try:
        _list(folder, listing)
    except OSError as error:
        raise UsageError(
            f"cannot be listed: {error.strerror}", file=folder, expected="a folder of cases"
        ) from error
    found = _by_case(listing, challenge)
    judged = [_judge(name, found[name], challenge) for name in found]
    judged += _hollow(listing, found, challenge)
    judged.sort(key=lambda pair: pair[0].name)
    return Discovery(
        tuple(case for case, error in judged if error is None),
        tuple(Refusal(case, error) for case, error in judged if error is not None),
        tuple(dict.fromkeys(listing.ignored)),
    )


def _list(folder: Path, listing: _Listing, depth: int = 0) -> None:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = folder / entry.name
        if entry.name.startswith("."):
            listing.ignore(path, "hidden")
        elif nifti_stem(entry.name) is not None or not _is_folder(path):
            listing.files.append(path)
        elif why := _why_not_listed(path, listing, depth):
            listing.folders[path] = why
            listing.ignore(path, why)
        else:
            listing.folders[path] = ""


def _why_not_listed(path: Path, listing: _Listing, depth: int) -> str:
    """List a folder below; if that cannot be, why."""
    if path.is_symlink():
        return "a link to a folder, not followed"
    if depth == listing.depth:
        return "deeper than case folders lie"
    try:
        _list(path, listing, depth + 1)
    except OSError as error:
        listing.unreadable.add(path)
        return f"cannot be listed: {error.strerror}"
    return ""


def _by_case(listing: _Listing, challenge: Challenge) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for file in listing.files:
        named = parse_name(file.name, challenge)
        if named is None:
            listing.ignore(file, f"no channel of {challenge.key}")
            continue
        if named.channel is None:
            continue
        case = found.setdefault(named.case, _Found())
        case.files.setdefault(named.channel, []).append(file)
        case.folders.add(file.parent)
        if file.parent != listing.folder and challenge.layout == "folders" and file.parent.name != named.case:
            listing.ignore(file.parent, f"the folder's name; its files say {named.case}")
    return found


def _hollow(
    listing: _Listing, found: dict[str, _Found], challenge: Challenge
) -> list[tuple[Case, CaseError | None]]:
    """Folders that are named like a case and give none of its files, each a refused case."""
    used = {folder for case in found.values() for folder in case.folders}
    return [
        (
            Case(folder.name, {}, challenge.reference),
            CaseError(
                Code.UNREADABLE if folder in listing.unreadable else Code.MISSING_MODALITY,
                why or f"holds no file of {folder.name}",
                file=folder,
                expected=", ".join(challenge.channel_names),
                hint="add the missing files",
            ),
        )
        for folder, why in listing.folders.items()
        if challenge.is_case(folder.name) and folder.name not in found and folder not in used
    ]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


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
        return case, CaseError(Code.MISSING_MODALITY, told, expected=expected, hint="add the missing files")
    return case, None


def _exists(file: Path) -> bool:
    """Whether a name leads somewhere, if only to what may not be read; a dangling link does not."""
    try:
        return file.exists()
    except OSError:
        return True
