"""Find the label maps of a folder, and the challenge that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segcube.core import CaseError, Shape, UsageError
from segcube.formats.nifti import read_grid
from segcube.spec.challenges import Challenge, load_challenge, match_challenge, nifti_stem


def find_maps(folder: Path, challenge: Challenge) -> dict[str, Path]:
    """The label maps of a folder by case, at any depth.

    They are named by the case alone, or as outputs or expert labels are; images between them are left alone.
    Raises UsageError where there is no folder, and for two maps of one case.
    """
    before, after = challenge.output.removesuffix(".nii.gz").split("{case}")
    found: dict[str, Path] = {}
    for file in _niftis(folder):
        stem = nifti_stem(file.name) or ""
        names = [stem, *(stem.removesuffix(suffix) for suffix in challenge.label_suffixes)]
        if stem.startswith(before) and stem.endswith(after):
            names.append(stem[len(before) : len(stem) - len(after)])
        case = next((name for name in names if challenge.is_case(name)), None)
        if case is None:
            continue
        if case in found:
            raise UsageError(f"a second map of {case}", file=file, expected=f"{found[case]} alone")
        found[case] = file
    return found


def choose_challenge(found: Path, reference: Path, key: str | None) -> Challenge:
    """The challenge that was named, else the one that the maps' names fit; their shapes break a tie.

    Raises UsageError for an unknown one, and when none fits or several do: it lists their keys.
    """
    if key is not None:
        return load_challenge(key)
    files = [*_niftis(reference), *_niftis(found)]
    return match_challenge([file.name for file in files], _shapes(files))


def _niftis(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UsageError("no folder", file=folder)
    return sorted(file for file in folder.rglob("*") if nifti_stem(file.name) and file.is_file())


def _shapes(files: list[Path]) -> Iterator[Shape]:
    for file in files:
        try:
            yield read_grid(file)[0].shape
        except CaseError:
            continue
