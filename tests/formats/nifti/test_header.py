"""Invalid headers, and valid but unusual ones."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

from segcube.core import CaseError
from segcube.formats.nifti import read_grid

from .conftest import AFFINE, encode, voxels

NAN, INF = float("nan"), float("inf")
ZERO_ROW = {"srow_x": 0}
ONLY_QFORM = {"sform_code": 0}

HEADERS = {
    "BAD_HEADER": [
        {"dim": [3, 0, 3, 2, 1, 1, 1, 1]},
        {"dim": [3, -4, 3, 2, 1, 1, 1, 1]},
        {"dim": [0, 4, 3, 2, 1, 1, 1, 1]},
        {"dim": [8, 4, 3, 2, 1, 1, 1, 1]},
        {"dim": [4, 4, 3, 2, 0, 1, 1, 1]},
        {"vox_offset": NAN},
        {"vox_offset": 0},
        {"vox_offset": 352.5},
        {"vox_offset": 1e9},
        {"vox_offset": 4000},
        {"bitpix": 8},
        {"scl_slope": 2, "scl_inter": NAN},
    ],
    "NDIM": [
        {"dim": [2, 12, 2, 1, 1, 1, 1, 1]},
        {"dim": [4, 2, 3, 2, 2, 1, 1, 1]},
    ],
    "TOO_LARGE": [
        {"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]},
        {"dim": [3, 1024, 1024, 257, 1, 1, 1, 1]},
        {"dim": [3, 4, 3, 1, 1, 1, 1, 1]},
    ],
    "BAD_SPACING": [
        {"pixdim": [1, 1e9, 1, 1, 1, 1, 1, 1]},
        {"pixdim": [1, 1, 1e-9, 1, 1, 1, 1, 1]},
        {"pixdim": [1, 0, 1, 1, 1, 1, 1, 1]},
        {"pixdim": [1, 1, 1, NAN, 1, 1, 1, 1]},
    ],
    "BAD_AFFINE": [
        {"srow_z": [0, 0, 1e9, 0]},
        {"srow_z": [0, 0, 1e-9, 0]},
        {"srow_x": NAN},
        ZERO_ROW,
        {"srow_x": [0, -1, 0, 0]},
        ONLY_QFORM | {"quatern_b": 2},
        ONLY_QFORM | {"qoffset_x": INF},
    ],
    "NOT_NIFTI": [
        {"magic": b"n+1x"},
        {"magic": b"ni1"},
        {"magic": b"n+2"},
        {"sizeof_hdr": 0},
    ],
    "TRUNCATED": [
        {"dim": [3, 4, 3, 3, 1, 1, 1, 1]},
        {"dim": [3, 1024, 1024, 256, 1, 1, 1, 1]},
    ],
    "BAD_DTYPE": [
        {"datatype": 128, "bitpix": 24},
        {"datatype": 32, "bitpix": 64},
        {"datatype": 0},
    ],
}


def error_of(read_one, name="a.nii.gz", **header) -> CaseError:
    with pytest.raises(CaseError) as caught:
        read_one(encode(voxels(), **header), name)
    return caught.value


@pytest.mark.parametrize("code", HEADERS)
def test_invalid_headers_are_errors(read_one, code):
    for name in ("a.nii.gz", "a.nii"):
        errors = [error_of(read_one, name, fields=fields) for fields in HEADERS[code]]
        assert [str(error.code) for error in errors] == [code] * len(errors)
        assert all(name in str(error) for error in errors)


NIFTI2_HEADERS = {
    "BAD_AFFINE": [{"srow_x": [1e300, 0, 0, 0]}],
    "TOO_LARGE": [
        {"dim": [3, 2**40, 2**40, 2, 1, 1, 1, 1]},
        {"dim": [3, 2**15, 1, 1, 1, 1, 1, 1]},
    ],
    "BAD_HEADER": [
        {"dim": [3, -(2**40), 1, 1, 1, 1, 1, 1]},
        {"vox_offset": -1},
        {"vox_offset": 2**60},
    ],
    "NOT_NIFTI": [{"magic": b"ni2"}, {"eol_check": [10, 26, 10, 0]}],
}


@pytest.mark.parametrize("code", NIFTI2_HEADERS)
def test_invalid_nifti2_headers_are_errors(read_one, code):
    for fields in NIFTI2_HEADERS[code]:
        assert str(error_of(read_one, fields=fields, kind=nib.Nifti2Header).code) == code


def test_forms_of_nifti2_are_clipped_for_label_maps(read_one):
    fields = {"sform_code": 2**30, "qform_code": -(2**30), "xyzt_units": 2**20 + 2}
    forms = read_one(encode(voxels(), fields=fields, kind=nib.Nifti2Header)).forms
    assert (forms.sform_code, forms.qform_code, forms.units) == (2**15 - 1, -(2**15), 2)


@pytest.mark.parametrize(
    ("affine", "fields"),
    [
        (AFFINE, {}),
        (np.array([[0.0, 0, 2.5, -3], [-0.6, 0, 0, 5], [0, 0.6, 0, 7], [0, 0, 0, 1]]), {}),
        (AFFINE, {"sform_code": 0}),
        (np.array([[-0.8, 0.6, 0, 1], [-0.6, -0.8, 0, 2], [0, 0, -3, 3], [0, 0, 0, 1]]), {"sform_code": 0}),
        (AFFINE, {"qform_code": 0}),
        (np.diag([2.0, 3, 4, 1]), {"sform_code": 0, "qform_code": 0}),
        (AFFINE, {"sform_code": 0, "qform_code": 0, "pixdim": [-1, 2, 3, 4, 1, 1, 1, 1]}),
    ],
)
def test_the_affine_is_nibabels(tmp_path, affine, fields):
    file = tmp_path / "a.nii"
    file.write_bytes(encode(voxels(), affine, fields))
    grid, _ = read_grid(file)
    np.testing.assert_allclose(grid.affine, nib.load(file).affine, atol=1e-6)
    np.testing.assert_allclose(grid.spacing, nib.load(file).header.get_zooms(), atol=1e-6)


def test_a_grid_is_read_from_the_header_only(tmp_path):
    file = tmp_path / "a.nii.gz"
    noise = np.random.default_rng(0).integers(0, 2**15, (40, 40, 40)).astype(np.int16)
    packed = gzip.compress(encode(noise))
    file.write_bytes(packed[: len(packed) // 2])
    grid, _ = read_grid(file)
    assert grid.shape == (40, 40, 40)
