from __future__ import annotations

import math

import pytest

from segcube.evaluation.metrics import component_map, match_instances
from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import load_challenge

MM = (1.0, 1.0, 1.0)
CUBE = (4, 4, 4)


@pytest.fixture
def matched(one_region):
    return one_region(profile="brats2026")


@pytest.fixture
def sized(one_region):
    return one_region(profile="brats2026", small_lesions={"below": 27, "detected_at": 0.2})


def score(found_xyz, reference_xyz, challenge, spacing=MM):
    return score_labels(found_xyz, reference_xyz, spacing, challenge).regions["lesion"]


def test_a_cube_shifted_by_a_voxel(blocks, matched):
    scores = score(blocks(((5, 4, 4), CUBE, 1)), blocks(((4, 4, 4), CUBE, 1)), matched)
    assert scores["sq_dice"] == scores["pq_dice"] == scores["dice"] == scores["lesionwise_dice"] == 0.75
    assert scores["sq_hd95"] == scores["hd95"] == 1
    assert scores["rq"] == scores["f1"] == scores["precision"] == scores["recall"] == 1
    assert scores["sq_dice_std"] == 0


def test_two_empty_masks_have_no_scores(blocks, matched):
    scores = score(blocks(), blocks(), matched)
    assert (scores["num_tp"], scores["num_fp"], scores["num_fn"]) == (0, 0, 0)
    counted = {name: value for name, value in scores.items() if not name.startswith(("num", "volume"))}
    assert all(math.isnan(value) for value in counted.values())


@pytest.mark.parametrize("missed", [True, False])
def test_one_empty_mask_scores_0_and_hd95_373(blocks, matched, missed):
    lesion_xyz = blocks(((4, 4, 4), CUBE, 1))
    scores = score(*((blocks(), lesion_xyz) if missed else (lesion_xyz, blocks())), matched)
    assert scores["sq_dice"] == scores["pq_dice"] == scores["dice"] == scores["rq"] == scores["nsd_0.5"] == 0
    assert scores["sq_hd95"] == scores["hd95"] == 373
    assert math.isnan(scores["precision"] if missed else scores["recall"])


def test_masks_without_a_common_voxel_are_infinitely_far_apart(blocks, matched):
    scores = score(blocks(((4, 4, 4), CUBE, 1)), blocks(((9, 4, 4), CUBE, 1)), matched)
    assert (scores["hd95"], scores["dice"], scores["num_fp"], scores["num_fn"]) == (373, 0, 1, 1)


def test_instances_are_matched_one_to_one(blocks, matched):
    reference_xyz = blocks(((4, 4, 4), CUBE, 1), ((18, 4, 4), CUBE, 1))
    scores = score(blocks(((4, 4, 4), (18, 4, 4), 1)), reference_xyz, matched)
    assert (scores["num_tp"], scores["num_fn"], scores["num_fp"]) == (1, 1, 0)
    assert scores["rq"] == 1 / 1.5


def test_matching_maximises_the_sum_of_dice(blocks):
    # The first found instance overlaps both lesions, the second one only the second
    reference = component_map(blocks(((4, 4, 4), (4, 1, 1), 1), ((9, 4, 4), (6, 1, 1), 1)) > 0)
    found = component_map(blocks(((4, 4, 4), (7, 1, 1), 1), ((12, 4, 4), (3, 1, 1), 1)) > 0)
    # 4 common voxels of 4 and 7, then 3 of 6 and 3
    assert match_instances(found, reference, 1e-6) == {1: (1, 8 / 11), 2: (2, 6 / 9)}


def test_no_dilation_joins_instances(blocks, matched):
    reference_xyz = blocks(((4, 4, 4), CUBE, 1), ((9, 4, 4), CUBE, 1))
    assert score(blocks(), reference_xyz, matched)["num_fn"] == 2


def test_hd95_pools_both_directions(blocks, matched):
    reference_xyz, found_xyz = blocks(((4, 4, 4), (1, 1, 1), 1)), blocks(((4, 4, 4), (9, 1, 1), 1))
    # 0 to 8 from the found voxels and 0 back: the 95th percentile of ten values lies between 7 and 8
    assert score(found_xyz, reference_xyz, matched)["sq_hd95"] == pytest.approx(7 + 0.55)


def test_official_distances_swap_axes_and_stay_in_voxels(blocks, matched):
    reference_xyz, found_xyz = blocks(((4, 4, 4), CUBE, 1)), blocks(((4, 4, 5), CUBE, 1))
    scores = score(found_xyz, reference_xyz, matched, (0.5, 1.0, 4.0))
    assert (scores["sq_hd95"], scores["sq_hd95_mm"]) == (0.5, 4.0)
    assert (scores["hd95"], scores["hd95_mm"]) == (1.0, 4.0)
    assert scores["volume_ref"] == 64 * 2


@pytest.mark.parametrize(("edges", "large"), [((3, 3, 3), True), ((13, 2, 1), False)])
def test_lesions_of_27_mm3_are_large(blocks, sized, edges, large):
    lesion_xyz = blocks(((4, 4, 4), edges, 1))
    scores = score(lesion_xyz, lesion_xyz, sized)
    assert scores["lesionwise_dice"] == 1 if large else math.isnan(scores["lesionwise_dice"])
    assert math.isnan(scores["sensitivity_small" if large else "sensitivity_large"])
    assert scores["sensitivity_large" if large else "sensitivity_small"] == 1


def test_missed_lesions_and_false_positives_lower_the_scores_of_large_lesions(blocks, sized):
    big = ((4, 4, 4), CUBE, 1)
    reference_xyz = blocks(big, ((14, 4, 4), CUBE, 1), ((4, 16, 16), (1, 1, 1), 1))
    scores = score(blocks(big, ((30, 4, 4), (1, 1, 1), 1)), reference_xyz, sized)
    assert scores["lesionwise_dice"] == pytest.approx(1 / 3)
    assert scores["lesionwise_hd95"] == pytest.approx(2 * 373 / 3)
    assert (scores["num_tp_large"], scores["num_fn_large"], scores["num_fp_large"]) == (1, 1, 1)
    assert (scores["num_tp_small"], scores["num_fn_small"], scores["num_fp_small"]) == (0, 1, 1)


@pytest.mark.parametrize(("length", "found"), [(9, 1), (10, 0)])
def test_small_lesions_are_detected_at_a_dice_of_a_fifth(blocks, sized, length, found):
    scores = score(blocks(((4, 4, 4), (length, 1, 1), 1)), blocks(((4, 4, 4), (1, 1, 1), 1)), sized)
    assert scores["num_tp"] == 1
    assert scores["sensitivity_small"] == found


def test_the_2026_challenges_score_all_their_regions(blocks):
    challenge = load_challenge("brats2026-ped")
    lesion_xyz = blocks(((4, 4, 4), CUBE, challenge.labels["ET"]))
    regions = score_labels(lesion_xyz, lesion_xyz, MM, challenge).regions
    assert [region for region, row in regions.items() if row["dice"] == 1] == ["ET", "TC", "WT"]
