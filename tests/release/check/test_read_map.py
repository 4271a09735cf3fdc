from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from segcube.core import Code
from segcube.release.check.read_map import MapFile, read_map

from .label_maps import NAMES, reference, write_data, write_map

LABELS = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)


def written(tmp_path: Path, labels: np.ndarray = LABELS, name: str = "map.nii.gz", **fields) -> MapFile:
    write_data(tmp_path, NAMES[:1])
    write_map(tmp_path / name, labels, reference(tmp_path), **fields)
    return read_map(tmp_path / name)


def faults(found: MapFile) -> list[Code]:
    return [fault.code for fault in found.faults]


@pytest.mark.parametrize("name", ["map.nii", "map.nii.gz"])
def test_a_valid_map_has_no_faults(tmp_path, name):
    found = written(tmp_path, name=name)
    assert found.faults == ()
    assert (found.decoded.version, found.decoded.axes) == (1, (4, 3, 2))
    np.testing.assert_array_equal(found.decoded.stored_xyz, LABELS)


def test_voxels_are_read_despite_an_invalid_header(tmp_path):
    found = written(tmp_path, srow_x=[np.inf, 0, 0, 0], pixdim=[1, -1, 1, 1, 0, 0, 0, 0])
    assert faults(found) == [Code.BAD_SPACING, Code.BAD_AFFINE]
    np.testing.assert_array_equal(found.decoded.stored_xyz, LABELS)


@pytest.mark.parametrize("shape", [(4, 6), (24,), (4, 3, 1, 2), (2, 2, 3, 1, 2)])
def test_voxels_of_fewer_or_more_axes_are_read(tmp_path, shape):
    found = written(tmp_path, LABELS.ravel(order="F").reshape(shape, order="F"))
    assert faults(found) == [Code.NDIM]
    np.testing.assert_array_equal(found.decoded.stored_xyz.ravel(order="F"), LABELS.ravel(order="F"))


def test_axes_of_size_one_are_kept_without_a_fault(tmp_path):
    found = written(tmp_path, LABELS[..., None])
    assert found.faults == ()
    assert found.decoded.axes == (4, 3, 2, 1)


def test_voxels_are_read_despite_trailing_bytes(tmp_path):
    written(tmp_path)
    file = tmp_path / "map.nii.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()) + b"more"))
    found = read_map(file)
    assert faults(found) == [Code.TOO_LARGE]
    np.testing.assert_array_equal(found.decoded.stored_xyz, LABELS)


def test_damage_hides_other_faults(tmp_path):
    written(tmp_path, pixdim=[1, 0, 1, 1, 0, 0, 0, 0])
    file = tmp_path / "map.nii.gz"
    file.write_bytes(file.read_bytes()[:-4])
    found = read_map(file)
    assert faults(found) == [Code.TRUNCATED]
    assert found.decoded is None
