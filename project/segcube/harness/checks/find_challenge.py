"""The challenge of a folder of cases when no submission names it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from segcube.challenges import Challenge, load_challenge, match_challenge, nifti_stem
from segcube.errors import CaseError, UsageError
from segcube.types import Shape
from segcube.volumes import read_grid


def find_challenge(data: Path, named: str | None) -> Challenge:
    """The challenge that was named, by key or YAML file, else the one that the files' names fit best.

    Raises UsageError for an unknown key, for a folder that is none, and when the names leave it open: it
    lists the keys.
    """
    if named is not None:
        return load_challenge(named)
    if not data.is_dir():
        raise UsageError("cannot be listed: no such folder", file=data, expected="a folder of cases")
    files = list(_files(data))
    return match_challenge((file.name for file in files), _shapes(files))


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            if nifti_stem(name) is not None:
                yield Path(place, name)


def _shapes(files: list[Path]) -> Iterator[Shape]:
    for file in files:
        try:
            yield read_grid(file)[0].shape
        except CaseError:
            continue
