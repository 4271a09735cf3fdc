from dataclasses import replace

import numpy as np
import pytest

from segcube.formats.nifti import read_volume
from segcube.training.cases import check_case, find_labelled_cases
from segcube.training.cases.checks import content_digest

from ...faults.make_case import CHANNELS
from .labelled import BAD, labels


@pytest.fixture
def case(damaged, glioma):
    return find_labelled_cases(damaged.data, glioma).cases[BAD]


def test_images_and_labels_are_those_of_the_files(case, glioma):
    checked = check_case(case, glioma)
    expected = read_volume(case.case, CHANNELS, glioma)
    assert checked.volume.channels == CHANNELS
    assert all(map(np.array_equal, checked.volume.voxels, expected.voxels))
    assert np.array_equal(checked.volume.grid.affine, expected.grid.affine)
    assert np.array_equal(checked.labels_xyz, labels(BAD))


def test_label_voxels_are_counted_by_name(case, glioma):
    values, numbers = np.unique(labels(BAD), return_counts=True)
    by_value = dict(zip(values.tolist(), numbers.tolist(), strict=True))
    found = check_case(case, glioma).label_voxels
    assert found == {"background": by_value[0], "NCR": by_value[1], "ED": by_value[2], "ET": by_value[3]}


def test_all_problems_of_a_case_are_found_at_once(damaged, case, glioma):
    damaged.case().put(b"", "t1c")
    damaged.case().store("t1n", image=np.zeros((14, 12, 10), np.int16))
    damaged.case().store("t2w", image=damaged.case().voxels("t2f").astype("f8"))
    damaged.label().store(image=np.where(labels(BAD) == 3, 9, labels(BAD)).astype("f4"))
    checked = check_case(case, glioma)
    assert [problem.code.value for problem in checked.errors] == [
        "EMPTY_FILE",
        "CONSTANT",
        "LABEL_VALUE",
        "SAME_CHANNEL",
    ]
    assert "LABEL_TYPE" in {problem.code for problem in checked.problems}
    assert checked.volume is None
    assert checked.labels_xyz is not None


def test_values_of_a_label_map_on_another_grid_are_checked_too(damaged, case, glioma):
    damaged.label().store(image=np.where(labels(BAD) == 3, 9, labels(BAD))[1:])
    codes = [problem.code.value for problem in check_case(case, glioma).errors]
    assert codes == ["LABEL_SHAPE", "LABEL_VALUE"]


def test_every_kind_of_value_that_is_no_label_is_reported(damaged, case, glioma):
    values_xyz = labels(BAD).astype("f4")
    values_xyz[2, 3, 2:6] = (np.nan, 0.5, -2, 1e6)
    damaged.label().store(image=values_xyz)
    codes = [problem.code.value for problem in check_case(case, glioma).errors]
    assert codes == ["LABEL_NONFINITE", "LABEL_FRACTIONS", "LABEL_NEGATIVE", "LABEL_VALUE"]


def test_unexpected_errors_become_problems(case, glioma):
    """A case from another source may lack a channel."""
    files = {name: file for name, file in case.case.files.items() if name != "t2w"}
    broken = replace(case, case=replace(case.case, files=files))
    (problem,) = check_case(broken, glioma).problems
    assert problem.code == "INTERNAL"
    assert str(case.case.reference_file) in problem.message


def test_ignored_voxels_may_lie_anywhere(damaged, case, glioma):
    labels_xyz = labels(BAD).copy()
    labels_xyz[0] = 9
    damaged.label().store(image=labels_xyz)
    assert {problem.code.value for problem in check_case(case, glioma, ignore=9).problems} == {"GEOMETRY"}


def test_digests_do_not_depend_on_the_type():
    image_xyz = np.arange(24).reshape(2, 3, 4)
    digests = {content_digest(image_xyz.astype(kind)) for kind in ("u1", ">i2", "f4", "f8")}
    assert len(digests) == 1
    assert content_digest(np.asfortranarray(image_xyz)) in digests


def test_digests_depend_on_shape_and_values():
    image_xyz = np.arange(24).reshape(2, 3, 4)
    other_xyz = image_xyz.copy()
    other_xyz[1, 2, 3] += 1
    digests = {content_digest(x) for x in (image_xyz, other_xyz, image_xyz.reshape(2, 4, 3), image_xyz[::-1])}
    assert len(digests) == 4


def test_both_zeros_are_equal():
    assert content_digest(np.zeros((2, 2, 2))) == content_digest(-np.zeros((2, 2, 2)))
