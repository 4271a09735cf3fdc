from __future__ import annotations

import gzip
import time

import nibabel as nib
import numpy as np
import pytest

from segcube.core import Case, Prediction
from segcube.formats.nifti import as_stored_labels, read_grid, read_labels, read_volume, write_label_map

from .conftest import AFFINE, encode, voxels

OBLIQUE = np.array([[-0.8, 0.6, 0, 1.1], [-0.6, -0.8, 0, 2.2], [0, 0, -3, 3.3], [0, 0, 0, 1]])
FIELDS = (
    *("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "quatern_c", "quatern_d"),
    *("qoffset_x", "qoffset_y", "qoffset_z", "xyzt_units"),
)


def rewrite(tmp_path, content: bytes, labels_xyz: np.ndarray, name: str = "out.nii.gz", description="d"):
    """Write a map on the grid of an image; returns both files."""
    given, file = tmp_path / "given.nii", tmp_path / name
    given.write_bytes(content)
    volume = read_volume(Case("a", {"t1": given}, "t1"), ["t1"])
    write_label_map(Prediction(volume.case, labels_xyz, volume.grid, volume.forms), file, description)
    return given, file


@pytest.mark.parametrize(
    ("affine", "fields"),
    [
        (OBLIQUE, {}),
        (OBLIQUE, {"sform_code": 0}),
        (OBLIQUE, {"qform_code": 0}),
        (OBLIQUE, {"sform_code": 4, "qform_code": 3, "xyzt_units": 10}),
        (AFFINE, {"sform_code": 0, "qform_code": 0}),
        (AFFINE, {"pixdim": [-1, 1, 1, 1, 0, 0, 0, 0]}),
        (AFFINE, {"qoffset_x": 5, "quatern_b": 0.1}),
    ],
)
def test_forms_are_written_exactly(tmp_path, affine, fields):
    given, file = rewrite(tmp_path, encode(voxels(), affine, fields, ">"), voxels() % 4)
    expected, written = nib.load(given), nib.load(file)
    for field in FIELDS:
        assert (
            np.asarray(written.header[field]).astype("<f8").tobytes()
            == np.asarray(expected.header[field]).astype("<f8").tobytes()
        )
    np.testing.assert_array_equal(written.header["pixdim"][:4], expected.header["pixdim"][:4])
    np.testing.assert_array_equal(written.affine, expected.affine)
    grid, forms = read_grid(file)
    assert forms == read_grid(given)[1]
    np.testing.assert_array_equal(grid.affine, read_grid(given)[0].affine)


@pytest.mark.parametrize(
    ("labels_xyz", "dtype"),
    [
        (voxels(), np.uint8),
        (np.zeros((4, 3, 2), np.int64), np.uint8),
        (voxels(dtype=np.float32) > 5, np.uint8),
        (voxels() * 12, np.uint16),
        (np.asfortranarray(voxels()), np.uint8),
    ],
)
def test_labels_are_stored_in_the_smallest_type(tmp_path, labels_xyz, dtype):
    _, file = rewrite(tmp_path, encode(voxels()), labels_xyz, "out.nii", "segcube was here")
    found_xyz, _, description = read_labels(file)
    assert found_xyz.dtype == dtype
    np.testing.assert_array_equal(found_xyz, labels_xyz)
    assert description == "segcube was here"
    written = nib.load(file)
    assert written.get_data_dtype() == dtype
    np.testing.assert_array_equal(np.asarray(written.dataobj), labels_xyz)
    assert (written.dataobj.slope, written.dataobj.inter) == (1, 0)


def test_labels_in_stored_form_are_not_copied():
    stored_xyz = as_stored_labels(voxels(dtype=np.int64))
    assert stored_xyz.dtype == np.uint8
    assert stored_xyz.flags.f_contiguous
    np.testing.assert_array_equal(stored_xyz, voxels())
    assert np.shares_memory(as_stored_labels(stored_xyz), stored_xyz)


def test_equal_maps_give_equal_bytes(tmp_path, monkeypatch):
    _, file = rewrite(tmp_path, encode(voxels()), voxels())
    first = file.read_bytes()
    monkeypatch.setattr(time, "time", lambda: 1e9)
    _, file = rewrite(tmp_path, encode(voxels()), voxels(dtype=np.int32))
    assert file.read_bytes() == first
    assert gzip.decompress(first)[344:348] == b"n+1\0"


def test_no_other_file_is_written(tmp_path):
    rewrite(tmp_path, encode(voxels()), voxels())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["given.nii", "out.nii.gz"]
