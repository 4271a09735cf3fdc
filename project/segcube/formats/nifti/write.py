"""Writing of label maps in the form that the challenges' evaluators expect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from isal import igzip
from nibabel.nifti1 import Nifti1Header

from segcube.core import Forms, Prediction, write_atomic
from segcube.formats.nifti.png import is_png, png_of_labels

GZIP_LEVEL = 2


def write_label_map(prediction: Prediction, file: Path, description: str) -> None:
    """Write a label map on the reference channel's grid, with exactly its sform, qform and pixdim.

    Stored as uint8, or the smallest unsigned type for the labels, with slope 1; compressed if the name ends
    in .gz, as an image if it ends in .png. Equal maps give equal bytes. Raises EnvironmentFault when it
    cannot be written.
    """
    labels_xyz = as_stored_labels(prediction.labels_xyz)
    if is_png(file):
        write_atomic(file, png_of_labels(labels_xyz, description))
        return
    header = map_header(labels_xyz, prediction.forms, description)
    content = b"".join((header.binaryblock, b"\0\0\0\0", labels_xyz.T.data))
    if file.name.endswith(".gz"):
        content = igzip.compress(content, GZIP_LEVEL, mtime=0)
    write_atomic(file, content)


def as_stored_labels(labels_xyz: np.ndarray) -> np.ndarray:
    """Return labels as stored in a file: smallest unsigned type, x fastest; without a copy if they are so."""
    smallest = np.min_scalar_type(int(labels_xyz.max(initial=0)))
    # Transposing now is several times as fast as in the conversion to bytes
    return np.ascontiguousarray(labels_xyz.T, dtype=smallest).T


def map_header(labels_xyz: np.ndarray, forms: Forms, description: str) -> Nifti1Header:
    """The header of a label map that repeats the transforms of the reference channel."""
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
    return header
