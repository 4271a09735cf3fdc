"""Data shared by all packages: cases, grids, volumes and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segcube.core.errors import Code

Array: TypeAlias = Any
"""A numpy array or a torch tensor; the end of a variable's name lists its axes, as in `image_cxyz`."""

Shape: TypeAlias = tuple[int, int, int]
Vector: TypeAlias = tuple[float, float, float]

SPACING_TOLERANCE = 1e-4
"""Relative difference up to which the spacings of pixdim and affine are equal."""


@dataclass(frozen=True)
class Notice:
    """Something unusual about a case that does not keep it from being processed; the report lists it."""

    code: Code
    message: str


@dataclass(frozen=True)
class Case:
    """A case in a data folder: its name and one file for each channel."""

    name: str
    files: Mapping[str, Path]
    reference: str
    """The channel whose grid and header the label map repeats."""
    components: Mapping[str, int] = field(default_factory=dict)
    """Of channels that are one of several components of a PNG."""

    @property
    def reference_file(self) -> Path:
        """The file of the reference channel."""
        return self.files[self.reference]


@dataclass(frozen=True)
class Grid:
    """A voxel grid: shape (x, y, z) and the 4x4 affine from voxel indices to millimetres (RAS+)."""

    shape: Shape
    affine: NDArray[np.float64]

    @property
    def spacing(self) -> Vector:
        """Spacing along the voxel axes, in mm."""
        x, y, z = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return float(x), float(y), float(z)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0


@dataclass(frozen=True)
class Forms:
    """sform, qform and pixdim as the reference file stores them, so that a label map repeats them exactly."""

    sform_code: int
    sform: tuple[float, ...]
    """srow_x, srow_y and srow_z, concatenated."""
    qform_code: int
    qform: tuple[float, ...]
    """quatern_b, c, d, then qoffset_x, y, z."""
    pixdim: tuple[float, ...]
    """pixdim[0] to pixdim[3]: the handedness of the qform, then the spacing."""
    units: int
    """xyzt_units."""


@dataclass(eq=False)
class Volume:
    """A case's channels in memory, on one grid, with axes (x, y, z) as in nibabel.

    Mutable for one reason: the voxels are released as soon as no branch needs them, while the grid is in use
    until the label map is written.
    """

    case: Case
    channels: tuple[str, ...]
    voxels: tuple[np.ndarray, ...]
    """(X, Y, Z) for each channel: integers of at most 16 bits as stored, other types as float32."""
    grid: Grid
    forms: Forms
    notices: tuple[Notice, ...] = ()

    def release_voxels(self) -> None:
        """Free the voxels; each channel becomes an empty array."""
        self.voxels = (np.empty((0, 0, 0), dtype=np.float32),) * len(self.channels)

    @property
    def image_cxyz(self) -> np.ndarray:
        """All channels in one new array, float32 (C, X, Y, Z)."""
        return np.stack(self.voxels).astype(np.float32, copy=False)

    @property
    def spacing(self) -> Vector:
        """Spacing in mm: the header's pixdim where the affine agrees with it, otherwise the affine's.

        The column lengths of an oblique affine are off by float32 rounding, which is enough to round a
        resampled shape to another size than with SimpleITK or nibabel.
        """
        x, y, z = self.forms.pixdim[1:4]
        same = np.allclose((x, y, z), self.grid.spacing, rtol=SPACING_TOLERANCE, atol=0)
        return (x, y, z) if same else self.grid.spacing


@dataclass(frozen=True)
class Prediction:
    """A case's label map on its native grid."""

    case: Case
    labels_xyz: NDArray[np.integer[Any]]
    grid: Grid
    forms: Forms
    notices: tuple[Notice, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each step."""
    probabilities_kxyz: NDArray[np.float32] | None = None
    """Of the last stage, on the native grid, float32; where they were requested."""
    probability_names: tuple[str, ...] = ()
    """The label or region of each channel of the probabilities."""
