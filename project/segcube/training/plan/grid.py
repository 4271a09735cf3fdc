"""The grid that cases are resampled to: nnU-Net's target spacing and order of axes, or the recipe's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from segcube.core import Vector
from segcube.spec.submission import Axes
from segcube.training.plan.fingerprint import CaseFingerprint, Fingerprint
from segcube.training.recipes import Preprocessing

ANISOTROPY = 3.0
"""How many times coarser than the other axes an axis is, and how many times fewer voxels it has."""
FINEST_PERCENT = 10.0
"""Percentile of the spacing along such an axis that becomes the target."""
READER_AXES = "zyx"
"""The order of axes that nnU-Net plans in; it decides between axes of equal spacing."""
BRATS_SPACING: Vector = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class TrainingGrid:
    """Orientation, order of axes and spacing of the branch, and how many voxels cases then have."""

    orientation: str
    axes: Axes
    spacing: Vector
    """In the order of `axes`, as all that follows."""
    median_shape: Vector
    cases: int

    @property
    def median_voxels(self) -> float:
        """Voxels of a median case."""
        return math.prod(self.median_shape)


def plan_grid(fingerprint: Fingerprint, preprocessing: Preprocessing) -> TrainingGrid:
    """Plan the grid of the branch.

    Cases of one orientation keep it, so that scans of another one are turned to it; cases of several are all
    turned to RAS, as nnU-Net's readers with reorientation do. kind nnunet: nnU-Net's target spacing unless
    the preprocessing sets one; the coarsest axis comes first. kind brats-ugrip: x, y, z at 1 mm.
    """
    codes = {case.orientation for case in fingerprint.cases}
    orientation = codes.pop() if len(codes) == 1 else "RAS"
    spacings = np.array([_turned(case, case.spacing, orientation) for case in fingerprint.cases])
    shapes = np.array([_turned(case, case.cropped_shape, orientation) for case in fingerprint.cases])
    given = preprocessing.spacing
    if preprocessing.kind == "brats-ugrip":
        target, order = np.array(given or BRATS_SPACING), [0, 1, 2]
    else:
        target = np.array(given) if given else target_spacing(spacings[:, ::-1], shapes[:, ::-1])[::-1]
        order = _coarsest_first(target)
    resampled = [
        [round(old / new * size) for old, new, size in zip(*row, strict=True)]
        for row in zip(spacings, [target] * len(spacings), shapes, strict=True)
    ]
    median = np.median(resampled, axis=0)
    return TrainingGrid(
        orientation=orientation,
        axes="".join("xyz"[axis] for axis in order),  # type: ignore[arg-type]
        spacing=_vector(target[order]),
        median_shape=_vector(median[order]),
        cases=len(fingerprint.cases),
    )


def target_spacing(spacings_na: np.ndarray, shapes_na: np.ndarray) -> np.ndarray:
    """Return nnU-Net's target spacing, its `determine_fullres_target_spacing`.

    spacings_na, shapes_na: of the cropped cases (N, 3). It is the median; but where an axis is more than
    three times coarser than the others and has less than a third of their voxels, the 10th percentile along
    it, though no finer than the others.
    """
    target = np.percentile(spacings_na, 50, axis=0)
    size = np.percentile(shapes_na, 50, axis=0)
    coarsest = int(np.argmax(target))
    others = [axis for axis in range(3) if axis != coarsest]
    next_coarsest = target[others].max()
    if target[coarsest] > ANISOTROPY * next_coarsest and size[coarsest] * ANISOTROPY < size[others].min():
        fine = np.percentile(spacings_na[:, coarsest], FINEST_PERCENT)
        # nnU-Net adds the small difference so that the axis stays the coarsest one
        target[coarsest] = fine if fine >= next_coarsest else next_coarsest + 1e-5
    return target


def _coarsest_first(spacing_xyz: np.ndarray) -> list[int]:
    """Axes x, y, z as numbers, the coarsest first and the others in the reader's order."""
    axes = ["xyz".index(axis) for axis in READER_AXES]
    coarsest = max(axes, key=lambda axis: spacing_xyz[axis])
    return [coarsest, *(axis for axis in axes if axis != coarsest)]


def _turned(case: CaseFingerprint, values: Vector, orientation: str) -> list[float]:
    """Values along a case's own axes, in the order of the axes of an orientation."""
    own = _lines(case.orientation)
    return [values[own.index(line)] for line in _lines(orientation)]


def _lines(codes: str) -> str:
    """The anatomical line of each direction, whichever way it runs."""
    return codes.translate(str.maketrans("RPI", "LAS"))


def _vector(values: np.ndarray) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
