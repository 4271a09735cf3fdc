from __future__ import annotations

import math

import pytest

from segcube.core import UsageError
from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import load_challenge

MM = (1.0, 1.0, 1.0)
CUBE = (4, 4, 4)


def test_plain_scores_of_a_shifted_cube(blocks, one_region):
    challenge = one_region(profile="plain", nsd_tolerances=(0.5, 1.0))
    pair = blocks(((5, 4, 4), CUBE, 1)), blocks(((4, 4, 4), CUBE, 1))
    scores = score_labels(*pair, (2.0, 1.0, 1.0), challenge).regions["lesion"]
    assert (scores["dice"], scores["iou"]) == (0.75, 48 / 80)
    assert (scores["precision"], scores["recall"]) == (0.75, 0.75)
    assert scores["hd95"] == 2
    assert 0 < scores["asd"] < 2
    assert 0 < scores["nsd_0.5"] < scores["nsd_1.0"] < 1
    assert (scores["volume_ref"], scores["volume_pred"]) == (128, 128)


def test_plain_scores_of_empty_masks(blocks, one_region):
    challenge = one_region(profile="plain", nsd_tolerances=(1.0,))
    both = score_labels(blocks(), blocks(), MM, challenge).regions["lesion"]
    ones = {name: both[name] for name in ("dice", "iou", "precision", "recall", "nsd_1.0")}
    assert set(ones.values()) == {1}
    assert both["hd95"] == both["asd"] == 0
    one = score_labels(blocks(), blocks(((4, 4, 4), CUBE, 1)), MM, challenge).regions["lesion"]
    assert {one[name] for name in ones} == {0}
    assert one["hd95"] == one["asd"] == math.inf


def test_one_voxel_has_a_surface(blocks, one_region):
    voxel_xyz = blocks(((4, 4, 4), (1, 1, 1), 1))
    scores = score_labels(voxel_xyz, voxel_xyz, MM, one_region(profile="plain")).regions["lesion"]
    assert (scores["dice"], scores["hd95"], scores["asd"], scores["nsd_0.5"]) == (1, 0, 0, 1)


def test_atria_are_scored_in_mm_and_in_voxels(blocks):
    challenge = load_challenge("mbas2024")
    wall = challenge.labels["wall"]
    pair = blocks(((4, 4, 5), CUBE, wall)), blocks(((4, 4, 4), CUBE, wall))
    scores = score_labels(*pair, (0.625, 0.625, 2.5), challenge).regions["wall"]
    assert (scores["dice"], scores["hd95"], scores["hd95_voxels"]) == (0.75, 2.5, 1.0)


def test_an_empty_atrium_has_hd95_inf_and_a_notice(blocks):
    challenge = load_challenge("mbas2024")
    pair = blocks(), blocks(((4, 4, 4), CUBE, challenge.labels["RA"]))
    scores = score_labels(*pair, MM, challenge)
    assert scores.regions["RA"]["hd95"] == scores.regions["LA"]["hd95"] == math.inf
    assert (scores.regions["RA"]["dice"], scores.regions["LA"]["dice"]) == (0, 1)
    assert "the prediction has no RA: HD95 is inf" in scores.notices


def test_profiles_without_constants_apply_to_every_challenge(blocks):
    lesion_xyz = blocks(((4, 4, 4), CUBE, 1))
    for profile in ("plain", "mbas", "brats2026"):
        scores = score_labels(lesion_xyz, lesion_xyz, MM, load_challenge("brats2023-gli"), profile)
        assert scores.regions["WT"]["dice"] == 1


@pytest.mark.parametrize(
    ("profile", "words"), [("brats2024", "does not define"), ("brats2022", "no profile")]
)
def test_an_unknown_profile_and_one_without_constants_are_refused(blocks, profile, words):
    with pytest.raises(UsageError, match=words):
        score_labels(blocks(), blocks(), MM, load_challenge("brats2023-gli"), profile)
