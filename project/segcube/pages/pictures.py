"""Draw pictures of cases: their channels, label maps and reference labels in three planes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from scipy.ndimage import binary_erosion

from segcube.core import LOG, CaseError, Code, Grid, UsageError, Volume, write_atomic
from segcube.evaluation import find_maps, unknown_labels
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume, same_grid
from segcube.pages.views import Plane, View, plan_view
from segcube.spec.challenges import Challenge

COLOURS = ("#e6194b", "#ffd21f", "#3cb4ff", "#46d35a", "#f58231", "#b06cff")
"""Of the labels in the challenge's order, without the background, which is not drawn."""
COLUMN_INCHES = 2.8
EDGES = (
    (0.01, 0.5, "left", "center"),
    (0.99, 0.5, "right", "center"),
    (0.5, 0.99, "center", "top"),
    (0.5, 0.01, "center", "bottom"),
)
"""Places of the letters in a section, 0 to 1 from the left and from the bottom, and their alignment."""
MARGIN_INCHES = 1.0
"""Height of the titles and the legend."""


@dataclass(frozen=True)
class Column:
    """A column of a picture: an image with labels over it, both cropped and turned by the view."""

    title: str
    image_xyz: np.ndarray
    labels_xyz: np.ndarray


def draw_case(
    volume: Volume,
    labels_xyz: np.ndarray,
    challenge: Challenge,
    file: Path,
    reference_xyz: np.ndarray | None = None,
) -> None:
    """Draw each channel with the labels over it, in the sections with most labelled voxels, as a PNG.

    labels_xyz: on the volume's grid; an empty map gives the middle sections. reference_xyz: reference labels,
    drawn over the reference channel in a column of their own.
    """
    labelled_xyz = labels_xyz != 0
    if reference_xyz is not None:
        labelled_xyz |= reference_xyz != 0
    view = plan_view(volume.grid, np.logical_or.reduce([labelled_xyz, *(v != 0 for v in volume.voxels)]))
    images = dict(zip(volume.channels, map(view.turned, volume.voxels), strict=True))
    columns = [Column(name, image_xyz, view.turned(labels_xyz)) for name, image_xyz in images.items()]
    if reference_xyz is not None:
        image_xyz = images[challenge.reference]
        columns.append(Column("reference labels", image_xyz, view.turned(reference_xyz)))
    colours = label_colours(challenge)
    # A PNG has no directions
    is_named = challenge.format != "png"
    figure = _draw(columns, view, view.turned(labelled_xyz), colours, is_named=is_named)
    add_legend(figure, challenge, "outside lower center")
    figure.suptitle(volume.case.name, color="white")
    content = BytesIO()
    figure.savefig(content, dpi=100)
    write_atomic(file, content.getvalue())


def label_colours(challenge: Challenge) -> dict[int, str]:
    """The colour of each label's value; the background has none and is not drawn."""
    return dict(zip(filter(None, challenge.labels.values()), COLOURS, strict=False))


def add_legend(figure: FigureBase, challenge: Challenge, place: str, **options: Any) -> None:
    """Write the labels' names with their colours. place, options: as of matplotlib's `legend`."""
    names = {value: name for name, value in challenge.labels.items()}
    patches = [Patch(color=colour, label=names[value]) for value, colour in label_colours(challenge).items()]
    style = {"ncols": len(patches), "labelcolor": "white", "frameon": False}
    figure.legend(handles=patches, loc=place, **style, **options)


def _draw(
    columns: Sequence[Column],
    view: View,
    labelled_xyz: np.ndarray,
    colours: dict[int, str],
    *,
    is_named: bool,
) -> Figure:
    """Draw a row for each plane, as high as the plane is. is_named: with its name and directions."""
    planes = view.planes
    heights = [plane.size_mm(view)[1] for plane in planes]
    widest = max(plane.size_mm(view)[0] for plane in planes)
    inches = COLUMN_INCHES * sum(heights) / widest + MARGIN_INCHES
    figure = Figure((COLUMN_INCHES * max(len(columns), 2), inches), facecolor="black", layout="constrained")
    grid = figure.subplots(len(planes), len(columns), squeeze=False, height_ratios=heights)
    for number, column in enumerate(columns):
        grid[0][number].set_title(column.title, color="white")
        for axes, plane in zip(grid[:, number], planes, strict=True):
            index = largest_section(labelled_xyz, plane.axis)
            draw_section(axes, column, plane, index, plane.size_mm(view), colours)
            if number == 0 and is_named:
                _name(axes, plane)
    return figure


def draw_section(
    axes: Axes,
    column: Column,
    plane: Plane,
    index: int,
    size_mm: tuple[float, float],
    colours: Mapping[int, str],
) -> None:
    """Draw a plane of a column, with its labels over it. size_mm: width and height."""
    low, high = np.percentile(column.image_xyz, (1, 99.5))
    image, labels = (plane.section(array, index) for array in (column.image_xyz, column.labels_xyz))
    place: Any = {"extent": (0, size_mm[0], size_mm[1], 0), "aspect": "equal"}
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, **place)
    axes.imshow(_overlay(labels, colours), **place)
    axes.set(xticks=[], yticks=[], frame_on=False)


def _name(axes: Axes, plane: Plane) -> None:
    """Write the plane's name beside a section, and the directions at its edges."""
    axes.set_ylabel(plane.name, color="white")
    outline = [withStroke(linewidth=2, foreground="black")]
    for letter, (x, y, across, down) in zip(plane.letters, EDGES, strict=True):
        axes.text(
            x, y, letter, ha=across, va=down, color="white", transform=axes.transAxes, path_effects=outline
        )


def largest_section(labelled_xyz: np.ndarray, axis: int) -> int:
    """The index of the section with most labelled voxels along an axis; the middle one where none is."""
    counts = np.count_nonzero(labelled_xyz, axis=tuple(other for other in range(3) if other != axis))
    return int(counts.argmax()) if counts.any() else len(counts) // 2


def _overlay(labels_yx: np.ndarray, colours: Mapping[int, str]) -> np.ndarray:
    """The labels as RGBA, opaque at their borders and transparent inside."""
    painted = np.zeros((*labels_yx.shape, 4))
    for value, colour in colours.items():
        mask_yx = labels_yx == value
        painted[mask_yx] = to_rgba(colour, 0.25)
        painted[mask_yx & ~binary_erosion(mask_yx)] = to_rgba(colour, 0.9)
    return painted


def draw_folder(
    data: Path, maps: Path, challenge: Challenge, out: Path, ref: Path | None = None
) -> Iterator[tuple[str, Path | CaseError | None]]:
    """Draw every case of `data` with its map in `maps`; a bad case or map fails alone.

    maps: label maps named like outputs, cases or expert labels. ref: a folder of reference labels, which are
    drawn beside the maps; a case without one is drawn as well.
    Yields each case's name with its PNG, the error that it failed with, or None if it has no map. Raises
    UsageError if no case has a map, or if `maps` or `ref` is no folder or holds two maps of a case, and
    EnvironmentFault if a picture cannot be written.
    """
    found = discover_cases(data, challenge)
    cases = {case.name: case for case in found.cases}
    refused = {refusal.case.name: refusal.error for refusal in found.refused}
    names = sorted({*cases, *refused})
    predicted = find_maps(maps, challenge)
    references = find_maps(ref, challenge) if ref is not None else {}
    if not predicted.keys() & names:
        raise UsageError("no label map of a case of the data folder", file=maps)
    for name in names:
        file = out / f"{name}.png"
        try:
            if name not in predicted:
                yield name, None
            elif name in refused:
                yield name, refused[name]
            else:
                volume = read_volume(cases[name], challenge.channel_names)
                labels_xyz = _read_map(predicted[name], volume.grid, challenge)
                reference = references.get(name)
                reference_xyz = None if reference is None else _read_map(reference, volume.grid, challenge)
                draw_case(volume, labels_xyz, challenge, file, reference_xyz)
                yield name, file
        except CaseError as error:
            yield name, error


def _read_map(file: Path, expected: Grid, challenge: Challenge) -> np.ndarray:
    """Read a label map of a case, and log labels that the challenge does not have.

    Raises CaseError, also for another grid than the case's.
    """
    labels_xyz, grid, _ = read_labels(file)
    if grid.shape != expected.shape:
        raise CaseError(
            Code.SHAPE_MISMATCH,
            f"a map of {_size(grid.shape)} voxels",
            file=file,
            expected=f"{_size(expected.shape)}, as the case has",
        )
    if not same_grid(grid, expected):
        raise CaseError(
            Code.AFFINE_MISMATCH, "a map on another grid", file=file, expected="the grid of the case"
        )
    if unknown := unknown_labels(labels_xyz, challenge):
        LOG.warning(f"{file}: {unknown}; not drawn")
    return labels_xyz


def _size(shape: Sequence[int]) -> str:
    return " x ".join(str(length) for length in shape)
