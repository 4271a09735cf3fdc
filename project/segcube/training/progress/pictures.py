"""PNG files of a training, drawn where matplotlib is installed: first batch, validated cases, curves."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segcube.core import (
    LOG,
    Case,
    CaseError,
    EnvironmentFault,
    Grid,
    Vector,
    Volume,
    install_hint,
    to_numpy,
    write_atomic,
)
from segcube.formats.nifti import read_volume
from segcube.pages import plan_view
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Branch
from segcube.training.losses import IGNORE
from segcube.training.plan import Plan
from segcube.training.progress.charts import MOST_MARKED
from segcube.training.progress.history import Curve, History
from segcube.training.progress.sections import THUMBNAILS
from segcube.training.step import TrainingBatch

MOST_PATCHES = 8
PATCH_INCHES = 1.8
THUMBNAIL_INCHES = 2.4
MARGIN_MM = 40.0
"""Around the labels of a validated case."""
CHART_INCHES = (12.0, 8.0)
NATIVE = "LPS"
"""Directions that patches are turned by where the branch keeps the files' axes: those of most scans."""
DIRECTIONS = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "S": (2, 1), "I": (2, -1)}
"""Axis and sign of each letter in RAS+ millimetres."""
IGNORED = "#ffffff"
"""Colour of voxels that take no part in the loss."""


@cache
def can_draw() -> bool:
    """Return whether matplotlib is installed; logs what installs it, once, where it is not."""
    found = importlib.util.find_spec("matplotlib") is not None
    if not found:
        LOG.info("matplotlib is not installed: no pictures are drawn; %s", install_hint("report"))
    return found


def draw_first_batch(file: Path, batches: Iterable[TrainingBatch], plan: Plan, challenge: Challenge) -> None:
    """Draw eight augmented patches with their labels outlined, as a PNG: a column each, a row a channel.

    batches: as many as eight patches need are taken. A patch is shown in the section with most labelled
    voxels, across its coarsest axis, in radiological convention. Without matplotlib nothing is drawn, nor for
    no batch. Raises EnvironmentFault when the file cannot be written.
    """
    if not can_draw():
        return
    from segcube.pages import Column, draw_section, largest_section

    patches = list(islice(_patches(batches), MOST_PATCHES))
    if not patches:
        return
    shape = patches[0][0].shape[1:]
    view = plan_view(patch_grid(shape, plan.spacing, plan.branch), np.ones(shape, dtype=bool))
    plane = max(view.planes, key=lambda plane: view.spacing[plane.axis])
    colours = index_colours(challenge)
    labelled = [index for index in colours if index != IGNORE]
    figure, axes = _figure(len(plan.input_channels), len(patches), plane.size_mm(view))
    for column, (image_cxyz, labels_xyz) in enumerate(patches):
        labels = view.turned(labels_xyz)
        index = largest_section(np.isin(labels, labelled), plane.axis)
        for row, image_xyz in enumerate(image_cxyz):
            content = Column("", view.turned(image_xyz), labels)
            draw_section(axes[row][column], content, plane, index, plane.size_mm(view), colours)
    if any((labels_xyz == IGNORE).any() for _, labels_xyz in patches):
        figure.suptitle("white: takes no part in the loss", color="white", fontsize=9)
    for row, name in enumerate(plan.input_channels):
        axes[row][0].set_ylabel(name, color="white")
    _save(figure, challenge, file)


def draw_validation(
    folder: Path, case: Case, predicted_xyz: np.ndarray, reference_xyz: np.ndarray, challenge: Challenge
) -> None:
    """Draw a validated case beside its reference labels as a thumbnail of the fold's progress page.

    folder: of the fold. predicted_xyz, reference_xyz: the challenge's values on the grid of the case, whose
    reference channel is read. Shown are the labels' surroundings in the section with most of the reference,
    or of the prediction where that is empty. Without matplotlib nothing is drawn; a file that cannot be read
    or written is logged only, so that no training ends for a picture.
    """
    if not can_draw():
        return
    try:
        volume = read_volume(case, (challenge.reference,))
        figure = _draw_maps(volume, predicted_xyz, reference_xyz, challenge)
        _save(figure, challenge, folder / THUMBNAILS / f"{case.name}.png")
    except (CaseError, EnvironmentFault) as error:
        LOG.warning("%s", error)


def draw_curves(file: Path, title: str, history: History) -> None:
    """Draw loss, its parts, learning rate and Dice as a PNG, with the points of the progress page.

    Without matplotlib nothing is drawn. Raises EnvironmentFault when the file cannot be written.
    """
    if not can_draw():
        return
    from matplotlib.figure import Figure

    losses = dict(history.losses)
    loss = {name: losses.pop(name) for name in ("loss",) if name in losses}
    rate = {name: curve for name, curve in history.curves.items() if name == "rate"}
    figure = Figure(CHART_INCHES, layout="constrained")
    figure.suptitle(title)
    charts = (("loss", loss), ("mean Dice by region", history.dice), ("parts of the loss", losses))
    for axes, (name, curves) in zip(
        figure.subplots(2, 2).flat, (*charts, ("learning rate", rate)), strict=True
    ):
        axes.set(title=name, xlabel="step")
        _plot(axes, curves)
    content = BytesIO()
    figure.savefig(content, dpi=80)
    write_atomic(file, content.getvalue())


def index_colours(challenge: Challenge) -> dict[int, str]:
    """Return the colour of each label's index in the order of values, and of voxels that are ignored."""
    from segcube.pages import label_colours

    ordered = sorted(challenge.labels.values())
    colours = {ordered.index(value): colour for value, colour in label_colours(challenge).items()}
    return colours | {IGNORE: IGNORED}


def patch_grid(shape: Sequence[int], spacing: Vector, branch: Branch) -> Grid:
    """Return a patch's grid: its axes lead where the branch turns those of a case."""
    directions = NATIVE if branch.orientation == "native" else branch.orientation
    affine = np.zeros((4, 4))
    affine[3, 3] = 1.0
    for axis, (name, step) in enumerate(zip(branch.axes, spacing, strict=True)):
        row, sign = DIRECTIONS[directions["xyz".index(name)]]
        affine[row, axis] = sign * step
    x, y, z = shape
    return Grid((x, y, z), affine)


def _patches(batches: Iterable[TrainingBatch]) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    for batch in batches:
        images, labels = to_numpy(batch.image_bcxyz), to_numpy(batch.target)
        yield from zip(images, labels, strict=True)


def _draw_maps(
    volume: Volume, predicted_xyz: np.ndarray, reference_xyz: np.ndarray, challenge: Challenge
) -> Any:
    from segcube.pages import Column, draw_section, label_colours, largest_section

    labelled_xyz = (reference_xyz != 0) if reference_xyz.any() else (predicted_xyz != 0)
    view = plan_view(volume.grid, labelled_xyz | (predicted_xyz != 0), MARGIN_MM)
    image_xyz, labelled = view.turned(volume.voxels[0]), view.turned(labelled_xyz)
    columns = [
        Column("image", image_xyz, np.zeros_like(labelled, dtype=np.uint8)),
        Column("reference", image_xyz, view.turned(reference_xyz)),
        Column("prediction", image_xyz, view.turned(predicted_xyz)),
    ]
    plane = max(view.planes, key=lambda plane: view.spacing[plane.axis])
    size, index = plane.size_mm(view), largest_section(labelled, plane.axis)
    figure, axes = _figure(1, len(columns), size, THUMBNAIL_INCHES)
    for place, column in zip(axes[0], columns, strict=True):
        draw_section(place, column, plane, index, size, label_colours(challenge))
        place.set_title(column.title, color="white")
    return figure


def _figure(
    rows: int, columns: int, size_mm: tuple[float, float], inches: float = PATCH_INCHES
) -> tuple[Any, Any]:
    """A black figure of sections of one size."""
    from matplotlib.figure import Figure

    height = inches * size_mm[1] / size_mm[0]
    figure = Figure((inches * columns, height * rows + 0.6), facecolor="black", layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _save(figure: Any, challenge: Challenge, file: Path) -> None:
    from segcube.pages import add_legend

    add_legend(figure, challenge, "outside lower center")
    content = BytesIO()
    figure.savefig(content, dpi=80)
    write_atomic(file, content.getvalue())


def _plot(axes: Any, curves: Mapping[str, Curve]) -> None:
    for name, curve in curves.items():
        points = curve.points()
        steps = [point.step for point in points]
        # A single point has no line
        marker = "." if len(points) <= MOST_MARKED else ""
        (line,) = axes.plot(steps, [point.mean for point in points], marker=marker, label=name)
        low, high = [point.low for point in points], [point.high for point in points]
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    if curves:
        axes.legend()
