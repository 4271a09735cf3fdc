"""Synthetic cases for benchmarks."""

from __future__ import annotations

from pathlib import Path

from segcube.phantoms import PhantomSet, write_phantoms
from segcube.spec.challenges import load_challenge


def write_cases(key: str | Path, count: int, folder: Path, seed: int = 12345) -> Path:
    """Write synthetic cases and return their data folder."""
    write_phantoms(PhantomSet(load_challenge(key), count, seed), folder)
    return folder / "data"


def copies_of(data: Path, count: int, folder: Path) -> Path:
    """Link the first case of `data` `count` times under different names."""
    case = min(data.iterdir())
    for number in range(count):
        name = f"{case.name[:-9]}{number:05d}{case.name[-4:]}"
        (folder / name).mkdir(parents=True)
        for file in case.iterdir():
            (folder / name / file.name.replace(case.name, name)).symlink_to(file)
    return folder
