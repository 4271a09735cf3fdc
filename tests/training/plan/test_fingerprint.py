from pathlib import Path

import numpy as np
import pytest

from segcube.core import Case, EnvironmentFault, Forms, Grid, Volume
from segcube.spec.challenges import Challenge
from segcube.training.plan import collect_fingerprint, measure_case, read_fingerprint, write_fingerprint

from .make import fingerprint_of


def volume_of(image_xyz: np.ndarray, challenge: Challenge, name: str = "case") -> Volume:
    """The same image in every channel, voxels of 1 x 2 x 3 mm from right to left, front to back, upwards."""
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])
    spacing = (1.0, 1.0, 2.0, 3.0)
    forms = Forms(1, tuple(affine[:3].ravel()), 0, (0.0,) * 6, spacing, 2)
    case = Case(name, dict.fromkeys(challenge.channel_names, Path("scan.nii.gz")), challenge.reference)
    count = len(challenge.channels)
    return Volume(case, challenge.channel_names, (image_xyz,) * count, Grid(image_xyz.shape, affine), forms)


@pytest.fixture
def image_xyz() -> np.ndarray:
    image_xyz = np.zeros((6, 5, 4), dtype=np.int16)
    image_xyz[1:5, 1:4, :2] = np.arange(24).reshape(4, 3, 2) + 1
    return image_xyz


@pytest.fixture
def labels_xyz() -> np.ndarray:
    labels_xyz = np.zeros((6, 5, 4), dtype=np.uint8)
    labels_xyz[1, 1, :2] = 3
    labels_xyz[2, 1, 0] = 1
    # Outside the box of the image
    labels_xyz[0, 0, 3] = 2
    return labels_xyz


def test_a_case_is_measured(image_xyz, labels_xyz, glioma):
    found = measure_case(volume_of(image_xyz, glioma), labels_xyz, glioma, samples=1000).case
    assert (found.shape, found.spacing, found.orientation) == ((6, 5, 4), (1, 2, 3), "LPS")
    assert (found.cropped_shape, found.cropped_share) == ((4, 3, 2), 24 / 120)
    values = {value: name for name, value in glioma.labels.items()}
    assert {values[value]: n for value, n in ((0, 116), (1, 1), (2, 1), (3, 2))} == found.label_voxels


def test_intensities_are_of_labelled_voxels_within_the_crop(image_xyz, labels_xyz, glioma):
    measured = measure_case(volume_of(image_xyz, glioma), labels_xyz, glioma, samples=1000)
    found = collect_fingerprint([measured], glioma).intensities
    assert len(found) == len(glioma.channels)
    # Values 1 and 2 at (1, 1), and 7 at (2, 1, 0); all drawn many times
    assert (found[0].min, found[0].median, found[0].max) == (1, 2, 7)
    assert measured.sampled[0].counts.sum() == 1000


def test_voxels_are_drawn_in_the_order_of_arrays_zyx(image_xyz, labels_xyz, glioma):
    counts = measure_case(volume_of(image_xyz, glioma), labels_xyz, glioma, samples=1000).sampled[0]
    drawn = np.random.RandomState(1234).choice(np.array([1, 7, 2]), 1000)
    assert counts.counts.tolist() == [np.count_nonzero(drawn == value) for value in (1, 2, 7)]


def test_cases_without_labels_have_no_intensities(image_xyz, glioma):
    measured = measure_case(volume_of(image_xyz, glioma), np.zeros_like(image_xyz), glioma, samples=10)
    assert collect_fingerprint([measured], glioma).intensities == ()


def test_cases_are_sorted_by_name(image_xyz, labels_xyz, glioma):
    measured = (
        measure_case(volume_of(image_xyz, glioma, name), labels_xyz, glioma, samples=10) for name in "ba"
    )
    found = collect_fingerprint(measured, glioma)
    assert [case.name for case in found.cases] == ["a", "b"]
    assert found.label_voxels["background"] == 2 * 116


def test_a_fingerprint_is_read_as_it_was_written(tmp_path, glioma):
    fingerprint = fingerprint_of(glioma)
    write_fingerprint(fingerprint, tmp_path / "fingerprint.json")
    assert read_fingerprint(tmp_path / "fingerprint.json") == fingerprint


def test_a_broken_fingerprint_is_refused_with_its_key(tmp_path):
    file = tmp_path / "fingerprint.json"
    file.write_text('{"channels": ["t1"], "cases": []}')
    with pytest.raises(EnvironmentFault, match=r"fingerprint\.json: 'cases'"):
        read_fingerprint(file)
