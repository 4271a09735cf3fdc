"""What passes between the rooms: cases, grids, volumes and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from segcube.core.errors import Code

Array: TypeAlias = Any
"""A numpy array or a torch tensor; its name says its axes."""

Shape: TypeAlias = tuple[int, int, int]
Vector: TypeAlias = tuple[float, float, float]

MAX_VOXELS = 2**28
"""A volume of more is refused, as it comes and as a network would see it."""

SAME_LENGTH = 1e-4
"""Edge lengths that differ by this share are one length, told twice."""


@dataclass(frozen=True)
class Notice:
    """Something odd but sound about a case, told and done."""

    code: Code
    message: str


@dataclass(frozen=True)
class Case:
    """A case as discovery found it: its name and a file a channel."""

    name: str
    files: Mapping[str, Path]
    reference: str
    """The channel whose grid and header the label map keeps."""

    @property
    def reference_file(self) -> Path:
        return self.files[self.reference]


@dataclass(frozen=True)
class Grid:
    """Where voxels lie: shape (x, y, z) and the affine from voxel to millimetre (RAS+)."""

    shape: Shape
    affine: np.ndarray

    @property
    def spacing(self) -> Vector:
        """Edge lengths of a voxel along its own axes, in mm."""
        x, y, z = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return float(x), float(y), float(z)

    @property
    def millilitres(self) -> float:
        """Volume of one voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0


@dataclass(frozen=True)
class Forms:
    """The reference file's transforms as its header stores them, for a map that repeats them bit for bit."""

    sform_code: int
    sform: tuple[float, ...]
    """srow_x, srow_y and srow_z, row after row."""
    qform_code: int
    qform: tuple[float, ...]
    """quatern_b, c, d, then qoffset_x, y, z."""
    pixdim: tuple[float, ...]
    """pixdim[0] to pixdim[3]: the qform's handedness, then the spacing."""
    units: int
    """xyzt_units."""


@dataclass(frozen=True)
class Volume:
    """A case's channels in memory, on one grid, as nibabel orders them (x, y, z)."""

    case: Case
    channels: tuple[str, ...]
    voxels: tuple[np.ndarray, ...]
    """(X, Y, Z) a channel: integers of at most 16 bits as they are stored, anything else as float32."""
    grid: Grid
    forms: Forms
    notices: tuple[Notice, ...] = ()

    def release_voxels(self) -> None:
        """Free the voxels: whoever holds the volume still has its grid, but channels without voxels."""
        object.__setattr__(self, "voxels", (np.empty((0, 0, 0), dtype=np.float32),) * len(self.channels))

    @property
    def image_cxyz(self) -> np.ndarray:
        """All channels in one new array, float32 (C, X, Y, Z)."""
        return np.stack(self.voxels).astype(np.float32, copy=False)

    @property
    def spacing(self) -> Vector:
        """Edge lengths of a voxel in mm, as the header has them where the affine says the same.

        An oblique affine's lengths are some units of float32 off, which is enough to round the size of a
        resampled grid to another voxel than SimpleITK and nibabel do.
        """
        x, y, z = self.forms.pixdim[1:4]
        same = np.allclose((x, y, z), self.grid.spacing, rtol=SAME_LENGTH, atol=0)
        return (x, y, z) if same else self.grid.spacing


@dataclass(frozen=True)
class Prediction:
    """A case's label map on its native grid."""

    case: Case
    labels_xyz: np.ndarray
    grid: Grid
    forms: Forms
    notices: tuple[Notice, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each step."""
