"""Write label maps as the challenges' evaluators want them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from isal import igzip
from nibabel.nifti1 import Nifti1Header

from segcube.core import Forms, Prediction, write_whole

GZIP_LEVEL = 2


def write_label_map(prediction: Prediction, file: Path, description: str) -> None:
    """Write a label map on the reference channel's grid, its forms repeated bit for bit.

    Stored as uint8, or the smallest unsigned type that holds the labels, with slope 1; packed if the name
    ends in .gz, the same map always as the same bytes. Raises EnvironmentFault when it cannot be written.
    """
    labels_xyz = as_stored(prediction.labels_xyz)
    header = _header(labels_xyz, prediction.forms, description)
    content = b"".join((header, b"\0\0\0\0", labels_xyz.T.data))
    if file.name.endswith(".gz"):
        content = igzip.compress(content, GZIP_LEVEL, mtime=0)
    write_whole(file, content)


def as_stored(labels_xyz: np.ndarray) -> np.ndarray:
    """Labels as a file holds them: of the smallest unsigned type, x the fastest; no copy of such."""
    smallest = np.min_scalar_type(int(labels_xyz.max(initial=0)))
    # numpy takes several times as long to turn them on the way into bytes
    return np.ascontiguousarray(labels_xyz.T, dtype=smallest).T


def _header(labels_xyz: np.ndarray, forms: Forms, description: str) -> bytes:
    header = Nifti1Header()
    header.set_data_shape(labels_xyz.shape)
    header.set_data_dtype(labels_xyz.dtype)
    header["pixdim"][:4] = forms.pixdim
    header["xyzt_units"] = forms.units
    header["vox_offset"] = 352
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["sform_code"], header["qform_code"] = forms.sform_code, forms.qform_code
    for index, row in enumerate(("srow_x", "srow_y", "srow_z")):
        header[row] = forms.sform[4 * index : 4 * index + 4]
    quaternion = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
    for name, value in zip(quaternion, forms.qform, strict=True):
        header[name] = value
    header["descrip"] = description.encode("ascii")
    return header.binaryblock
