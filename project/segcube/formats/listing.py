"""List the files of a data folder down to a depth, without following links to folders."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from segcube.core import UsageError
from segcube.spec.challenges import nifti_stem

MAX_DEPTH = 64
"""Levels of subfolders where files may lie at any depth."""


@dataclass
class Listing:
    """Files and folders in a data folder, and those that are ignored."""

    folder: Path
    max_depth: int
    """Levels of subfolders to list."""
    files: list[Path] = field(default_factory=list)
    folders: dict[Path, str] = field(default_factory=dict)
    """Each subfolder and why it was not listed; an empty reason if it was."""
    unreadable: set[Path] = field(default_factory=set)
    ignored: list[str] = field(default_factory=list)

    def ignore(self, path: Path, why: str) -> None:
        """Note a path that is left out, and why."""
        # File names may contain undecodable bytes
        name = str(path.relative_to(self.folder)).encode(errors="replace").decode()
        self.ignored.append(f"{name} ({why})")


def list_folder(folder: Path, max_depth: int) -> Listing:
    """List a folder and its subfolders. Raises UsageError when the folder itself cannot be listed."""
    listing = Listing(folder, max_depth)
    try:
        _list(folder, listing)
    except OSError as error:
        is_gone = isinstance(error, FileNotFoundError)
        message = "no such folder" if is_gone else f"cannot be listed: {error.strerror}"
        raise UsageError(message, file=folder, expected="a folder of cases") from error
    return listing


def _list(folder: Path, listing: Listing, depth: int = 0) -> None:
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


def _why_not_listed(path: Path, listing: Listing, depth: int) -> str:
    """List a subfolder; returns why it cannot be listed, or an empty text."""
    if path.is_symlink():
        return "a link to a folder, not followed"
    if depth == listing.max_depth:
        return "below the level of case folders"
    try:
        _list(path, listing, depth + 1)
    except OSError as error:
        listing.unreadable.add(path)
        return f"cannot be listed: {error.strerror}"
    return ""


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def file_exists(file: Path) -> bool:
    """Return whether a path exists, readable or not; False for a dangling link."""
    try:
        return file.exists()
    except OSError:
        return True
