from __future__ import annotations

import numpy as np
import pytest

from segcube.core import CaseError, Code
from segcube.formats.nifti import read_labels, read_volume
from segcube.training.cache import CacheRules, prepare_case
from segcube.training.cache.prepare import choose_voxels, label_indices
from segcube.training.patches import IGNORE, OUTSIDE

from ..cached import CHALLENGE, small_branch, write_scan


def prepared(tmp_path, labels_xyz, image_cxyz=None, rules=None, affine=None):
    rules = rules or CacheRules(small_branch(normalize={"scheme": "none"}), CHALLENGE)
    scan = write_scan(tmp_path, "case", labels_xyz, image_cxyz, affine)
    volume = read_volume(scan.case, rules.branch.channels)
    return prepare_case(volume, read_labels(scan.label)[0], rules)


def test_image_and_labels_are_cropped_alike(tmp_path):
    image = np.zeros((2, 6, 5, 4))
    image[0, 1:4, 1:4, 1:3] = np.arange(1, 19).reshape(3, 3, 2)
    labels = np.zeros((6, 5, 4))
    labels[2, 3, 1] = 3
    case = prepared(tmp_path, labels, image)
    assert case.image_cxyz.dtype == np.float16
    assert case.image_cxyz[0].tolist() == image[0, 1:4, 1:4, 1:3].tolist()
    assert np.argwhere(case.labels_xyz == 3).tolist() == [[1, 2, 0]]
    assert (case.placement.box.start, case.placement.shape) == ((1, 1, 1), (6, 5, 4))


def test_background_where_the_image_is_empty_is_outside(tmp_path):
    image = np.ones((2, 3, 3, 3))
    image[:, 0, 0, :2] = 0
    image[:, 1, 1, 1] = 0
    labels = np.zeros((3, 3, 3))
    labels[0, 0, 0] = 2
    case = prepared(tmp_path, labels, image)
    # A hole counts as inside, and so does a labelled voxel
    assert np.argwhere(case.labels_xyz == OUTSIDE).tolist() == [[0, 0, 1]]
    assert case.labels_xyz[0, 0, 0] == 2


def test_the_axes_of_a_branch_order_image_labels_and_voxels(tmp_path):
    image = np.random.default_rng(0).uniform(1, 9, (2, 3, 4, 5)).round()
    labels = np.zeros((3, 4, 5))
    labels[0, 1, 2] = 1
    rules = CacheRules(small_branch(axes="zyx", orientation="RAS", normalize={"scheme": "none"}), CHALLENGE)
    case = prepared(tmp_path, labels, image, rules)
    # Files are in LPS: x and y are flipped
    assert np.array_equal(case.image_cxyz[0], image[0, ::-1, ::-1].T)
    assert np.argwhere(case.labels_xyz == 1).tolist() == [[2, 2, 2]]
    first, last = case.classes["NCR"]
    assert case.voxels[first:last].tolist() == [[2, 2, 2]]


def test_labels_are_resampled_to_the_branchs_spacing(tmp_path):
    labels = np.zeros((4, 4, 4))
    labels[2:] = 1
    rules = CacheRules(small_branch(spacing=[0.5, 1, 2]), CHALLENGE)
    case = prepared(tmp_path, labels, rules=rules)
    assert case.image_cxyz.shape == (2, 8, 4, 2)
    assert case.labels_xyz[:, 0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_label_values_become_indices_in_their_order():
    challenge = CHALLENGE.model_copy(update={"labels": {"background": 0, "ET": 700, "NCR": 3, "ED": 40}})
    rules = CacheRules(small_branch(), challenge, ignore=9)
    assert rules.labels == ("background", "NCR", "ED", "ET")
    found = label_indices(np.array([0, 3, 40, 700, 9], np.uint16), rules)
    assert found.tolist() == [0, 1, 2, 3, IGNORE]


def test_an_unknown_value_is_refused():
    with pytest.raises(CaseError, match="has the values 7, 8") as caught:
        label_indices(np.array([0, 8, 7], np.uint8), CacheRules(small_branch(), CHALLENGE))
    assert caught.value.code is Code.LABEL_VALUE


def test_ignored_voxels_are_of_no_class(tmp_path):
    labels = np.array([[[0, 1, 2, 9, 9]]])
    case = prepared(tmp_path, labels, np.ones((2, 1, 1, 5)), CacheRules(small_branch(), CHALLENGE, ignore=9))
    assert case.labels_xyz.tolist() == [[[0, 1, 2, IGNORE, IGNORE]]]
    first, last = case.annotated
    assert sorted(case.voxels[first:last, 2].tolist()) == [0, 1, 2]
    assert {name: last - first for name, (first, last) in case.classes.items()} == {
        "NCR": 1,
        "ED": 1,
        "ET": 0,
    }


def test_regions_hold_the_voxels_of_their_labels(tmp_path):
    labels = np.array([[[0, 1, 2, 3, 3]]])
    outputs = {"kind": "regions", "names": ["WT", "TC", "ET"]}
    case = prepared(tmp_path, labels, rules=CacheRules(small_branch(outputs=outputs), CHALLENGE))
    found = {name: sorted(case.voxels[a:b, 2].tolist()) for name, (a, b) in case.classes.items()}
    assert found == {"WT": [1, 2, 3, 4], "TC": [1, 3, 4], "ET": [3, 4]}


def test_intensities_beyond_half_precision_are_refused(tmp_path):
    with pytest.raises(CaseError, match=r"t2f reach 70000.*at most 65504"):
        prepared(tmp_path, np.zeros((1, 1, 2)), np.array([[[[1, 2]]], [[[1, 70000]]]]))


@pytest.mark.parametrize(("count", "stored"), [(0, 0), (5, 5), (20_000, 10_000), (1_200_000, 12_000)])
def test_how_many_voxels_are_stored(count, stored):
    labels = np.zeros(1_300_000, dtype=np.uint8)
    labels[:count] = 1
    (voxels,) = choose_voxels(labels.reshape(100, 100, 130), [(1,)])
    assert voxels.shape == (stored, 3)
    assert len(np.unique(voxels, axis=0)) == stored
    assert (labels.reshape(100, 100, 130)[tuple(voxels.T)] == 1).all()


def test_the_digest_covers_what_the_arrays_depend_on():
    rules = CacheRules(small_branch(), CHALLENGE)
    same = small_branch(patch=(8, 8, 8), flips=["x"])
    assert CacheRules(same, CHALLENGE).digest == rules.digest
    others = [
        CacheRules(small_branch(spacing=[1, 1, 2]), CHALLENGE),
        CacheRules(small_branch(outputs={"kind": "regions", "names": ["WT"]}), CHALLENGE),
        CacheRules(small_branch(), CHALLENGE, ignore=9),
        CacheRules(small_branch(), CHALLENGE.model_copy(update={"labels": CHALLENGE.labels | {"ET": 4}})),
    ]
    assert len({other.digest for other in others} | {rules.digest}) == 5
