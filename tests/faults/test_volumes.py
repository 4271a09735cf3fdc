"""Volumes of unusual sizes and values: predicted, reported, and the same however they are stored."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from .commands import labels_of
from .make_case import CHANNELS, make_case, voxels
from .make_submission import make_submission

SHAPES = [(3, 3, 2), (1, 1, 1), (1, 40, 1), (7, 240, 240), (16, 16, 16), (17, 5, 33)]


@pytest.fixture(scope="module")
def sizes(base, commands):
    """Each size twice: as is, and as big-endian float64 in two gzip members."""
    for number, shape in enumerate(SHAPES):
        make_case(base / "sizes" / f"BraTS-GLI-{number:05d}-000", shape=shape)
        other = make_case(base / "sizes" / f"BraTS-GLI-{number:05d}-001", shape=shape)
        for channel in CHANNELS:
            other.store(channel, image=voxels(channel, 0, shape).astype("f8"), order=">")
    wide = make_submission(base / "wide weights", size=(8, 128, 128))
    return commands.run(base / "sizes", base / "of sizes", weights=wide)


def test_volumes_of_any_size_are_predicted(sizes):
    assert sizes.code == 0, sizes.stderr
    assert set(sizes.statuses().values()) == {"done"}


def test_storage_does_not_change_the_labels(sizes):
    for number, shape in enumerate(SHAPES):
        plain, other = (labels_of(sizes.output / f"BraTS-GLI-{number:05d}-00{n}.nii.gz") for n in (0, 1))
        assert plain.shape == shape
        np.testing.assert_array_equal(plain, other)


VALUES = {
    "one_channel_zero": ("CONSTANT", {"t1n": 0}),
    "every_channel_zero": ("CONSTANT", dict.fromkeys(CHANNELS, 0)),
    "one_channel_of_one_value": ("CONSTANT", {"t2f": 700}),
    "every_channel_of_one_value": ("CONSTANT", dict.fromkeys(CHANNELS, 700)),
    "one_voxel_of_many": ("RANGE", {"t1n": "1e9"}),
    "one_voxel_past_16_bits": ("RANGE", {"t1n": "65536"}),
    "one_voxel_far_below": ("RANGE", {"t1n": "-1e6"}),
    "almost_past_float32": ("RANGE", {"t1n": "3e38"}),
}


@pytest.fixture(scope="module")
def values(base, commands):
    for number, (_, channels) in enumerate(VALUES.values()):
        case = make_case(base / "values" / f"BraTS-GLI-{number:05d}-000")
        for channel, value in channels.items():
            image_xyz = case.voxels(channel).astype("f4")
            image_xyz[(0, 0, 0) if isinstance(value, str) else ...] = float(value)
            case.store(channel, image=image_xyz)
    return commands.run(base / "values", base / "of values")


def test_unusual_values_are_reported_and_predicted(values):
    cases = dict(zip(VALUES, values.report["cases"], strict=True))
    assert {case["status"] for case in cases.values()} == {"done"}
    codes = {name: {notice["code"] for notice in case["notices"]} for name, case in cases.items()}
    assert [name for name, (code, _) in VALUES.items() if code not in codes[name]] == []
    for name, (code, _) in VALUES.items():
        assert f"{cases[name]['case']}: {code}: " in values.stderr
        written = nib.load(values.output / f"{cases[name]['case']}.nii.gz")
        assert set(np.unique(written.dataobj)) <= {0, 1, 2, 3}
