"""Volumes from arrays in memory, and label maps as nibabel images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1Image

from segcube.core import MAX_AXIS, MAX_VOXELS, Case, Prediction, UsageError, Volume
from segcube.formats.nifti.affine import geometry_notices
from segcube.formats.nifti.header import parse_header
from segcube.formats.nifti.read import checked_values, merge_notices
from segcube.formats.nifti.write import as_stored_labels, map_header
from segcube.spec.challenges import Challenge

ALIGNED = 1
"""NIfTI's code of a transform to another image's space: segcube cannot know a better one."""


def volume_of_arrays(
    case: Case,
    channels: Sequence[str],
    arrays_xyz: Sequence[np.ndarray],
    affine: np.ndarray,
    challenge: Challenge,
) -> Volume:
    """A volume of a case's channels in memory, checked as files are; the arrays are copied.

    arrays_xyz: one (X, Y, Z) array of numbers a channel. affine: (4, 4), from voxel to millimetre (RAS+).
    Raises UsageError for arrays or an affine of another shape or type, CaseError as `read_volume` does.
    """
    shape = arrays_xyz[0].shape
    if any(array.ndim != 3 or array.shape != shape or array.dtype.kind not in "iuf" for array in arrays_xyz):
        kinds = ", ".join(sorted({str(array.dtype) for array in arrays_xyz}))
        expected = "integers or floating-point numbers of one shape (X, Y, Z)"
        raise UsageError(f"{case.name}: arrays of {kinds} and shape {shape}", expected=expected)
    if 0 in shape or max(shape) > MAX_AXIS or np.prod(shape) > MAX_VOXELS:
        limits = f"1 to {MAX_VOXELS} voxels, at most {MAX_AXIS} along an axis"
        raise UsageError(f"{case.name}: shape {shape}", expected=limits)
    affine = np.asarray(affine)
    if affine.dtype.kind not in "iuf" or affine.shape != (4, 4) or (affine[3] != (0, 0, 0, 1)).any():
        expected = "numbers of shape (4, 4) with the last row 0 0 0 1"
        raise UsageError(f"{case.name}: the affine {affine.tolist()}", expected=expected)
    affine = affine.astype(np.float64)
    header = parse_header(_fields(shape, affine), Path(case.name))
    pairs = zip(channels, arrays_xyz, strict=True)
    checked = {name: checked_values(np.array(array_xyz), Path(name)) for name, array_xyz in pairs}
    notices = merge_notices({name: found for name, (_, found) in checked.items()})
    notices += geometry_notices(header.grid, challenge)
    voxels = tuple(channel_xyz for channel_xyz, _ in checked.values())
    return Volume(case, tuple(channels), voxels, header.grid, header.forms, notices)


def to_nifti(prediction: Prediction) -> Nifti1Image:
    """A label map as a nibabel image with the grid and the transforms of its reference channel."""
    labels_xyz = as_stored_labels(prediction.labels_xyz)
    return Nifti1Image(labels_xyz, prediction.grid.affine, map_header(labels_xyz, prediction.forms, ""))


def _fields(shape: tuple[int, ...], affine: np.ndarray) -> Nifti1Header:
    fields = Nifti1Header()
    fields.set_data_shape(shape)
    fields.set_data_dtype(np.float32)
    fields["vox_offset"] = 352
    fields.set_xyzt_units("mm")
    fields.set_sform(affine, code=ALIGNED)
    fields["pixdim"][1:4] = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    return fields
