"""Discovery of reference labels: beside the images, or in a folder of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segcube.formats.listing import MAX_DEPTH, list_folder
from segcube.spec.challenges import Challenge, parse_name


@dataclass(frozen=True)
class LabelFiles:
    """The reference labels in a folder."""

    files: Mapping[str, tuple[Path, ...]]
    """The label maps of each case, sorted; dangling links included."""
    unreadable: Mapping[Path, str]
    """Folders that cannot be listed, and why."""
    ignored: tuple[str, ...] = ()
    """Files and folders that are left out, and why."""


def find_label_files(folder: Path, challenge: Challenge, any_depth: bool = True) -> LabelFiles:
    """Find the reference labels in a folder, by the names of their files.

    any_depth: without it, only where the challenge's layout has images. Links to folders are not followed.
    Raises UsageError when the folder cannot be listed.
    """
    listing = list_folder(folder, MAX_DEPTH if any_depth or challenge.layout == "walk" else 1)
    found: dict[str, list[Path]] = {}
    for file in listing.files:
        case = case_of_label(file.name, challenge)
        if case is not None:
            found.setdefault(case, []).append(file)
        else:
            listing.ignore(file, f"not a label map of {challenge.key}")
    return LabelFiles(
        {case: tuple(sorted(found[case])) for case in sorted(found)},
        {place: listing.folders[place] for place in sorted(listing.unreadable)},
        tuple(listing.ignored),
    )


def case_of_label(name: str, challenge: Challenge) -> str | None:
    """Return the case of a label map's file name; None for other files.

    Label maps have one of the challenge's label suffixes, the name of its outputs, or that of the case alone.
    """
    stem = challenge.stem(name)
    if stem is None:
        return None
    parsed = parse_name(name, challenge)
    if parsed is not None:
        return parsed.case if parsed.channel is None else None
    names = (challenge.case_of_output(stem), stem)
    return next((case for case in names if case is not None and challenge.is_case(case)), None)
