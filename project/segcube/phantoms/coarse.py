"""A challenge with coarse grids, for phantoms on which a CPU trains within minutes."""

from __future__ import annotations

from pathlib import Path

import yaml

from segcube.core import UsageError, write_atomic
from segcube.spec.challenges import Challenge, UsualGrid, load_challenge

FILE = "challenge.yaml"


def challenge_on_grid(challenge: Challenge, key: str, grid: UsualGrid) -> Challenge:
    """Return a challenge whose cases have another grid, which is not checked."""
    geometry = challenge.geometry.model_copy(update={"fixed": False, "grids": (grid,)})
    return challenge.model_copy(update={"key": key, "geometry": geometry})


def coarse_challenge(challenge: Challenge, spacing_mm: float) -> Challenge:
    """Return a challenge with voxels of another edge over the same field of view, which are not checked."""
    grids = [
        grid.model_copy(
            update={
                "shape": tuple(
                    max(round(size * step / spacing_mm), 2)
                    for size, step in zip(grid.shape, grid.spacing, strict=True)
                ),
                "spacing": (spacing_mm,) * 3,
            }
        )
        for grid in challenge.geometry.grids
    ]
    geometry = challenge.geometry.model_copy(update={"fixed": False, "grids": tuple(grids)})
    return challenge.model_copy(update={"key": f"{challenge.key}-coarse", "geometry": geometry})


def check_not_coarse(folder: Path) -> None:
    """Raise UsageError if `folder` has phantoms of another grid than their challenge's."""
    if (file := folder / FILE).exists():
        raise UsageError(
            "belongs to phantoms written with --spacing",
            file=file,
            expected="a folder without it for phantoms on the challenge's own grid",
            hint="write to another folder, or give --spacing",
        )


def write_coarse_challenge(challenge: Challenge, spacing_mm: float, folder: Path) -> tuple[Challenge, Path]:
    """Write the challenge of coarse phantoms to `folder`/challenge.yaml; returns it and the file.

    Raises UsageError where the file holds anything else.
    """
    coarse = coarse_challenge(challenge, spacing_mm)
    return coarse, write_challenge(coarse, folder, f"{challenge.key} with voxels of {spacing_mm:g} mm")


def write_challenge(challenge: Challenge, folder: Path, name: str) -> Path:
    """Write a challenge to `folder`/challenge.yaml, unless it is there; returns the file.

    name: of challenge and grid, for the message. Raises UsageError where the file holds anything else.
    """
    file = folder / FILE
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        content = challenge.model_dump(mode="json", by_alias=True)
        write_atomic(file, yaml.safe_dump(content, sort_keys=False, width=110).encode())
    elif load_challenge(str(file)) != challenge:
        raise UsageError(f"is not {name}", file=file, expected="an empty folder, or cases of the same kind")
    return file
