"""Draw pictures of cases: their channels and label maps in three planes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from scipy.ndimage import binary_erosion

from segcube.core import Case, CaseError, Code, UsageError, Volume
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume, same_grid
from segcube.spec.challenges import Challenge

COLOURS = ("#000000", "#e6194b", "#ffd21f", "#3cb4ff", "#46d35a", "#f58231", "#b06cff")
"""Of the labels in the challenge's order, the background first, which is not drawn."""


def draw_case(volume: Volume, labels_xyz: np.ndarray, challenge: Challenge, file: Path) -> None:
    """Draw each channel with the labels over it, in the sections with most labelled voxels, as a PNG.

    labels_xyz: on the volume's grid; an empty map gives the middle sections.
    """
    colours: dict[int, str] = dict(zip(challenge.labels.values(), COLOURS, strict=False))
    columns = len(volume.channels)
    figure = Figure(figsize=(2.8 * columns, 2.8 * 3 + 0.5), facecolor="black", layout="constrained")
    grid = figure.subplots(3, columns, squeeze=False)
    for column, (channel, voxels_xyz) in enumerate(zip(volume.channels, volume.voxels, strict=True)):
        grid[0][column].set_title(channel, color="white")
        low, high = np.percentile(voxels_xyz, (1, 99.5))
        # Sagittal, coronal and axial: the plane across each axis, with its rows from bottom to top
        for axis, axes in enumerate(grid[:, column]):
            index = _largest_section(labels_xyz, axis)
            image_yx, labels_yx = (np.take(array, index, axis).T for array in (voxels_xyz, labels_xyz))
            across, up = (volume.grid.spacing[other] for other in range(3) if other != axis)
            place = {"origin": "lower", "aspect": up / across}
            axes.imshow(image_yx, cmap="gray", vmin=low, vmax=high, **place)
            axes.imshow(_overlay(labels_yx, colours), **place)
            axes.set_axis_off()
    names = [name for name, value in challenge.labels.items() if value]
    patches = [Patch(color=colours[challenge.labels[name]], label=name) for name in names]
    figure.legend(
        handles=patches, loc="outside lower center", ncols=len(names), labelcolor="white", frameon=False
    )
    figure.suptitle(volume.case.name, color="white")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)


def _largest_section(labels_xyz: np.ndarray, axis: int) -> int:
    counts = np.count_nonzero(labels_xyz, axis=tuple(other for other in range(3) if other != axis))
    return int(counts.argmax()) if counts.any() else len(counts) // 2


def _overlay(labels_yx: np.ndarray, colours: dict[int, str]) -> np.ndarray:
    """The labels as RGBA, opaque at their borders and transparent inside."""
    painted = np.zeros((*labels_yx.shape, 4))
    for value, colour in colours.items():
        mask_yx = labels_yx == value
        if value == 0 or not mask_yx.any():
            continue
        painted[mask_yx] = to_rgba(colour, 0.25)
        painted[mask_yx & ~binary_erosion(mask_yx)] = to_rgba(colour, 0.9)
    return painted


def draw_folder(
    data: Path, maps: Path, challenge: Challenge, out: Path
) -> Iterator[tuple[str, Path | CaseError | None]]:
    """Draw every case of `data` with its map in `maps`; a bad case or map fails alone.

    Yields each case's name with its PNG, the error that it failed with, or None if it has no map. Raises
    UsageError if no case has a map.
    """
    found = discover_cases(data, challenge)
    cases = {case.name: case for case in found.cases}
    refused = {refusal.case.name: refusal.error for refusal in found.refused}
    names = sorted({*cases, *refused})
    mapped = {name for name in names if (maps / challenge.output_name(name)).exists()}
    if not mapped:
        raise UsageError("no label map of a case of the data folder", file=maps)
    for name in names:
        file = out / f"{name}.png"
        try:
            if name not in mapped:
                yield name, None
            elif name in refused:
                yield name, refused[name]
            else:
                draw_case(*_read(cases[name], maps, challenge), challenge, file)
                yield name, file
        except CaseError as error:
            yield name, error


def _read(case: Case, maps: Path, challenge: Challenge) -> tuple[Volume, np.ndarray]:
    """Read a case and its label map. Raises CaseError, also for different grids."""
    volume = read_volume(case, tuple(channel.name for channel in challenge.channels))
    map_file = maps / challenge.output_name(case.name)
    labels_xyz, grid, _ = read_labels(map_file)
    if grid.shape != volume.grid.shape:
        raise CaseError(
            Code.SHAPE_MISMATCH,
            f"a map of {_size(grid.shape)} voxels",
            file=map_file,
            expected=f"{_size(volume.grid.shape)}, as the case has",
        )
    if not same_grid(grid, volume.grid):
        raise CaseError(
            Code.AFFINE_MISMATCH, "a map on another grid", file=map_file, expected="the grid of the case"
        )
    return volume, labels_xyz


def _size(shape: Sequence[int]) -> str:
    return " x ".join(str(length) for length in shape)
