from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segcube.release.check.map_labels import read_values
from segcube.release.check.read_map import Decoded, read_map
from segcube.spec.challenges import load_challenge

from .label_maps import NAMES, reference, write_data, write_map


def decoded(tmp_path: Path, labels_xyz: np.ndarray, **fields) -> Decoded:
    write_data(tmp_path, NAMES[:1])
    write_map(tmp_path / "map.nii", labels_xyz, reference(tmp_path), **fields)
    found = read_map(tmp_path / "map.nii")
    assert found.faults == ()
    assert found.decoded is not None
    return found.decoded


@pytest.mark.parametrize(("dtype", "low"), [(np.uint8, 0), (np.int64, 1), (np.float64, -3)])
def test_values_are_counted_as_numpy_does(tmp_path, dtype, low):
    labels_xyz = np.random.default_rng(0).integers(low, 5, (4, 3, 5)).astype(dtype)
    expected = {float(v): int(n) for v, n in zip(*np.unique(labels_xyz, return_counts=True), strict=True)}
    values = read_values(decoded(tmp_path, labels_xyz))
    assert (dict(values.counts), values.fractions, values.infinite) == (expected, 0, 0)


def test_large_and_negative_values_are_counted(tmp_path):
    labels_xyz = np.array([0, 0, 7, 10**6, -(10**6), 7], np.int32).reshape(3, 2, 1)
    counts = read_values(decoded(tmp_path, labels_xyz)).counts
    assert counts == {0: 2, 7: 2, 10**6: 1, -(10**6): 1}


def test_fractions_and_infinities_are_counted_separately(tmp_path):
    labels_xyz = np.array([0, 1, 0.5, np.nan, np.inf, -np.inf], np.float32).reshape(3, 2, 1)
    values = read_values(decoded(tmp_path, labels_xyz))
    assert (dict(values.counts), values.fractions, values.infinite) == ({0: 1, 1: 1}, 1, 3)
    assert values.digest is None


def test_slope_and_intercept_are_applied(tmp_path):
    labels_xyz = np.array([0, 1, 2, 2], np.uint8).reshape(2, 2, 1)
    values = read_values(decoded(tmp_path, labels_xyz, scl_slope=2, scl_inter=1))
    assert values.counts == {1: 1, 3: 1, 5: 2}


def test_the_digest_does_not_depend_on_the_type(tmp_path):
    labels_xyz = np.random.default_rng(0).integers(0, 4, (4, 3, 5))
    digests = {
        read_values(decoded(tmp_path, labels_xyz.astype(t))).digest for t in (np.uint8, np.int32, "f4")
    }
    assert len(digests) == 1
    assert read_values(decoded(tmp_path, labels_xyz[::-1].astype(np.uint8))).digest not in digests


def test_an_empty_map_has_no_digest(tmp_path):
    assert read_values(decoded(tmp_path, np.zeros((2, 2, 2), np.uint8))).digest is None


def test_labels_are_counted_by_name(tmp_path):
    labels_xyz = np.array([0, 1, 3, 3], np.uint8).reshape(2, 2, 1)
    challenge = load_challenge("brats2023-gli")
    assert read_values(decoded(tmp_path, labels_xyz)).labelled(challenge) == {"NCR": 1, "ET": 2}
