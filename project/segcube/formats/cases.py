"""Discovery of the cases in a data folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from segcube.core import Case, CaseError, Code, UsageError
from segcube.formats.listing import MAX_DEPTH, Listing, file_exists, list_folder
from segcube.spec.challenges import ENDINGS, Challenge, nifti_stem, parse_name


@dataclass(frozen=True)
class Refusal:
    """A case that is rejected at discovery, with the files that were found."""

    case: Case
    error: CaseError


@dataclass(frozen=True)
class Discovery:
    """Content of a data folder: complete and rejected cases, sorted by name, and ignored files."""

    cases: tuple[Case, ...]
    refused: tuple[Refusal, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether any file belongs to the challenge; folder names alone may be another challenge's."""
        return bool(self.cases) or any(refusal.case.files for refusal in self.refused)


_CaseFiles: TypeAlias = dict[str, list[Path]]
"""The files of one case, a list for each channel."""


def nifti_files(folder: Path) -> list[Path]:
    """The NIfTI files of a folder at any depth, sorted; raises as `files_with` does."""
    return files_with(folder, lambda name: nifti_stem(name) is not None)


def files_with(folder: Path, is_wanted: Callable[[str], bool]) -> list[Path]:
    """The files of a folder at any depth whose names are wanted, sorted; links to folders are not followed.

    Raises UsageError where there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", file=folder, expected="a folder of cases or label maps")
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names if is_wanted(name))
    return sorted(file for file in files if file_exists(file))


def other_format_hint(folder: Path, challenge: Challenge) -> str:
    """Describe a folder whose files have another format than the challenge's; empty for any other folder."""
    known = tuple(ending for endings in ENDINGS.values() for ending in endings)
    endings = {_ending_of(file.name) for file in files_with(folder, lambda name: name.endswith(known))}
    if not endings or endings & {*challenge.endings}:
        return ""
    found, wanted = " and ".join(sorted(endings)), " or ".join(challenge.endings)
    return (
        f"the files end with {found}; those of {challenge.key} end with {wanted} (format: {challenge.format})"
    )


def _ending_of(name: str) -> str:
    """Return the ending of the name of an image in any format."""
    return next(ending for endings in ENDINGS.values() for ending in endings if name.endswith(ending))


def discover_cases(folder: Path, challenge: Challenge) -> Discovery:
    """Find a challenge's cases in a folder, by the names of their files.

    Files are in the folder itself or in case folders; with layout walk, at any depth. Links to files count,
    links to folders are not followed. A case with missing or duplicate channels is rejected, and so is a
    folder with a case's name but without its files. Raises UsageError when the folder cannot be listed.
    """
    listing = list_folder(folder, MAX_DEPTH if challenge.layout == "walk" else 1)
    found = _by_case(listing, challenge)
    checked = [_checked(name, found[name], challenge) for name in found]
    checked += _empty_case_folders(listing, found, challenge)
    checked.sort(key=lambda pair: pair[0].name)
    return Discovery(
        tuple(case for case, error in checked if error is None),
        tuple(Refusal(case, error) for case, error in checked if error is not None),
        tuple(dict.fromkeys(listing.ignored)),
    )


def _by_case(listing: Listing, challenge: Challenge) -> dict[str, _CaseFiles]:
    found: dict[str, _CaseFiles] = {}
    for file in listing.files:
        named = parse_name(file.name, challenge)
        if named is None:
            stem = challenge.stem(file.name) or ""
            is_case = any(challenge.is_case(stem[:end]) for end in range(1, len(stem)))
            listing.ignore(file, f"not a {'channel' if is_case else 'case'} of {challenge.key}")
            continue
        if named.channel is None:
            continue
        for channel in named.channels:
            found.setdefault(named.case, {}).setdefault(channel, []).append(file)
        if file.parent != listing.folder and challenge.layout == "folders" and file.parent.name != named.case:
            listing.ignore(file.parent, f"folder name differs from the case of its files, {named.case}")
    return found


def _empty_case_folders(
    listing: Listing, found: dict[str, _CaseFiles], challenge: Challenge
) -> list[tuple[Case, CaseError | None]]:
    """Return a rejected case for each folder with a case's name but without its files."""
    used = {folder for case in found.values() for folder in _folders(case)}
    return [
        (
            Case(folder.name, {}, challenge.reference),
            CaseError(
                Code.UNREADABLE if folder in listing.unreadable else Code.MISSING_MODALITY,
                why or f"contains no file of {folder.name}",
                file=folder,
                expected=", ".join(challenge.channel_names),
                hint="add the missing files",
            ),
        )
        for folder, why in listing.folders.items()
        if challenge.is_case(folder.name) and folder.name not in found and folder not in used
    ]


def _folders(found: _CaseFiles) -> set[Path]:
    return {file.parent for files in found.values() for file in files}


def _checked(name: str, found: _CaseFiles, challenge: Challenge) -> tuple[Case, CaseError | None]:
    files = {channel: files[0] for channel, files in found.items()}
    case = Case(name, files, challenge.reference, challenge.components)
    duplicate = next((files for files in found.values() if len(files) > 1), None)
    if duplicate:
        names = " and ".join(str(file) for file in duplicate)
        return case, CaseError(
            Code.DUPLICATE, f"{names} are the same channel", expected="one file for each channel"
        )
    missing = [c for c in challenge.channel_names if c not in found or not file_exists(found[c][0])]
    if missing:
        expected = ", ".join(challenge.channel_names)
        folders = " and ".join(map(str, sorted(_folders(found))))
        message = f"no file for {', '.join(missing)} in {folders}"
        return case, CaseError(
            Code.MISSING_MODALITY, message, expected=expected, hint="add the missing files"
        )
    return case, None
