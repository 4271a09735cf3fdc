from __future__ import annotations

import math

import numpy as np
import pytest

from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import load_challenge

MM = (1.0, 1.0, 1.0)
CUBE = (4, 4, 4)
JOINED = {"profile": "brats2024", "join_predictions": True, "drop_predictions": "voxels"}


def score(found_xyz, reference_xyz, challenge, spacing=MM, region="lesion"):
    return score_labels(found_xyz, reference_xyz, spacing, challenge).regions[region]


def test_a_cube_shifted_by_a_voxel(blocks, lesionwise):
    scores = score(blocks(((5, 4, 4), CUBE, 1)), blocks(((4, 4, 4), CUBE, 1)), lesionwise())
    assert scores["lesionwise_dice"] == scores["dice"] == 0.75
    assert scores["lesionwise_hd95"] == scores["hd95"] == 1.0
    assert (scores["num_tp"], scores["num_fp"], scores["num_fn"]) == (1, 0, 0)
    assert scores["sensitivity"] == 0.75
    assert scores["specificity"] == (40 * 24 * 24 - 80) / (40 * 24 * 24 - 64)
    assert scores["volume_ref"] == scores["volume_pred"] == 64


def test_two_empty_masks_are_a_perfect_case(blocks, lesionwise):
    scores = score(blocks(), blocks(), lesionwise(nsd_tolerances=(0.5,)))
    assert (
        scores["lesionwise_dice"] == scores["lesionwise_nsd_0.5"] == scores["dice"] == scores["nsd_0.5"] == 1
    )
    assert scores["lesionwise_hd95"] == scores["hd95"] == 0
    assert scores["sensitivity"] == scores["specificity"] == 1


@pytest.mark.parametrize("missed", [True, False])
def test_one_empty_mask_costs_the_penalty(blocks, lesionwise, missed):
    lesion_xyz = blocks(((4, 4, 4), CUBE, 1))
    pair = (blocks(), lesion_xyz) if missed else (lesion_xyz, blocks())
    scores = score(*pair, lesionwise(nsd_tolerances=(1.0,)))
    assert (
        scores["lesionwise_dice"] == scores["lesionwise_nsd_1.0"] == scores["nsd_1.0"] == scores["dice"] == 0
    )
    assert scores["lesionwise_hd95"] == scores["hd95"] == 374
    assert (scores["num_fn"], scores["num_fp"]) == (missed, not missed)
    assert scores["sensitivity"] == 0


def test_a_split_lesion_is_compared_with_all_its_pieces(blocks, lesionwise):
    reference_xyz = blocks(((4, 4, 4), (10, 4, 4), 1))
    found_xyz = blocks(((4, 4, 4), (4, 4, 4), 1), ((10, 4, 4), (4, 4, 4), 1))
    scores = score(found_xyz, reference_xyz, lesionwise())
    assert scores["lesionwise_dice"] == 2 * 128 / (160 + 128)
    assert (scores["num_tp"], scores["num_fp"]) == (1, 0)


def test_a_missed_lesion_halves_the_score(blocks, lesionwise):
    reference_xyz = blocks(((4, 4, 4), CUBE, 1), ((30, 4, 4), CUBE, 1))
    scores = score(blocks(((4, 4, 4), CUBE, 1)), reference_xyz, lesionwise())
    assert scores["lesionwise_dice"] == 0.5
    assert scores["lesionwise_hd95"] == 374 / 2
    assert (scores["num_tp"], scores["num_fn"]) == (1, 1)


@pytest.mark.parametrize("edges", [(1, 1, 1), (6, 6, 6)])
def test_false_positives_of_any_size_count_in_2023(blocks, lesionwise, edges):
    lesion = ((4, 4, 4), CUBE, 1)
    scores = score(blocks(lesion, ((25, 10, 10), edges, 1)), blocks(lesion), lesionwise())
    assert (scores["lesionwise_dice"], scores["lesionwise_hd95"], scores["num_fp"]) == (0.5, 187, 1)


@pytest.mark.parametrize(("edges", "false"), [((5, 2, 2), 0), ((7, 3, 1), 1)])
def test_2024_drops_components_of_at_most_the_threshold_in_voxels(blocks, lesionwise, edges, false):
    challenge = lesionwise(threshold=20, **JOINED)
    lesion = ((4, 4, 4), CUBE, 1)
    scores = score(blocks(lesion, ((25, 10, 10), edges, 1)), blocks(lesion), challenge, (2.0, 2.0, 2.0))
    assert scores["num_fp"] == false


@pytest.mark.parametrize(("edges", "false"), [((5, 5, 2), 0), ((17, 3, 1), 1)])
def test_the_threshold_of_components_may_be_in_mm3(blocks, lesionwise, edges, false):
    challenge = lesionwise(dilation=1, **JOINED | {"drop_predictions": "mm3"})
    found_xyz = blocks(((4, 4, 4), CUBE, 1), ((20, 10, 10), edges, 1))
    scores = score(found_xyz, blocks(((4, 4, 4), CUBE, 1)), challenge, (1.0, 0.5, 2.0))
    assert scores["num_fp"] == false


def test_an_edition_may_leave_false_positives_out_of_the_score(blocks, lesionwise):
    lesion = ((4, 4, 4), CUBE, 1)
    found_xyz = blocks(lesion, ((25, 10, 10), (6, 6, 6), 1))
    scores = score(found_xyz, blocks(lesion), lesionwise(false_positives=False))
    assert (scores["lesionwise_dice"], scores["lesionwise_hd95"], scores["num_fp"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("dilation", "gap", "lesions"),
    [(1, 2, 1), (1, 3, 2), (3, 6, 1), (3, 7, 2)],
)
def test_dilation_bridges_gaps_between_parts_of_a_lesion(blocks, lesionwise, dilation, gap, lesions):
    reference_xyz = blocks(((4, 8, 8), CUBE, 1), ((8 + gap, 8, 8), CUBE, 1))
    scores = score(blocks(), reference_xyz, lesionwise(dilation))
    assert scores["num_fn"] == lesions


def test_the_dilation_grows_by_18_neighbours(blocks, lesionwise):
    corner, edge = ((7, 7, 7), (1, 1, 1), 1), ((7, 7, 5), (1, 1, 1), 1)
    block = ((4, 4, 4), (2, 2, 2), 1)
    assert score(blocks(), blocks(block, edge), lesionwise(1, threshold=0))["num_fn"] == 1
    assert score(blocks(corner), blocks(block), lesionwise(1, threshold=0))["num_fp"] == 1


@pytest.mark.parametrize(("edges", "counted"), [((5, 5, 2), 0), ((17, 3, 1), 1)])
def test_lesions_of_at_most_the_threshold_are_not_counted(blocks, lesionwise, edges, counted):
    reference_xyz = blocks(((4, 4, 4), edges, 1))
    scores = score(blocks(), reference_xyz, lesionwise())
    assert scores["num_fn"] == counted
    assert scores["lesionwise_dice"] == 1 - counted
    assert scores["lesionwise_hd95"] == 374 * counted


def test_the_threshold_of_lesions_is_in_mm3(blocks, lesionwise):
    reference_xyz = blocks(((4, 4, 4), (5, 5, 2), 1))
    assert score(blocks(), reference_xyz, lesionwise(), (1.0, 1.0, 1.01))["num_fn"] == 1


def test_a_component_on_an_uncounted_lesion_is_no_false_positive(blocks, lesionwise):
    scores = score(blocks(((4, 4, 4), CUBE, 1)), blocks(((4, 4, 4), (2, 2, 2), 1)), lesionwise())
    assert (scores["num_tp"], scores["num_fp"], scores["num_fn"]) == (0, 0, 0)
    assert scores["lesionwise_dice"] == 1


def test_one_component_over_two_lesions_matches_both(blocks, lesionwise):
    reference_xyz = blocks(((4, 4, 4), CUBE, 1), ((18, 4, 4), CUBE, 1))
    scores = score(blocks(((4, 4, 4), (18, 4, 4), 1)), reference_xyz, lesionwise())
    assert scores["num_tp"] == 2
    assert scores["lesionwise_dice"] == pytest.approx(2 * 64 / (64 + 288), abs=1e-15)


def test_2023_keeps_components_apart_that_2024_joins(blocks, lesionwise):
    found_xyz = blocks(((4, 4, 4), CUBE, 1), ((13, 4, 4), CUBE, 1))
    reference_xyz = blocks(((4, 4, 4), CUBE, 1))
    assert score(found_xyz, reference_xyz, lesionwise())["num_fp"] == 1
    joined = score(found_xyz, reference_xyz, lesionwise(**JOINED))
    assert joined["num_fp"] == 0
    assert joined["lesionwise_dice"] == 2 * 64 / (64 + 128)


def test_the_penalty_may_be_the_images_diagonal_in_voxels(blocks, lesionwise):
    challenge = lesionwise(penalty="image_diagonal")
    scores = score(blocks(), blocks(((4, 4, 4), CUBE, 1)), challenge, (2.0, 1.0, 1.0))
    assert scores["lesionwise_hd95"] == math.sqrt(40**2 + 24**2 + 24**2)


def test_distances_are_in_mm_on_an_anisotropic_grid(blocks, lesionwise):
    reference_xyz, found_xyz = blocks(((4, 4, 4), CUBE, 1)), blocks(((4, 4, 5), CUBE, 1))
    scores = score(
        found_xyz, reference_xyz, lesionwise(threshold=0, nsd_tolerances=(0.5, 2.5)), (0.5, 0.5, 2.5)
    )
    assert scores["lesionwise_hd95"] == 2.5
    assert scores["lesionwise_nsd_2.5"] == pytest.approx(1, abs=1e-8)
    assert 0 < scores["lesionwise_nsd_0.5"] < 1
    assert scores["volume_ref"] == 64 * 0.625


def test_nsd_is_a_share_of_border_voxels(blocks, lesionwise):
    reference_xyz = blocks(((4, 4, 4), (3, 3, 3), 1))
    found_xyz = blocks(((5, 4, 4), (3, 3, 3), 1))
    scores = score(found_xyz, reference_xyz, lesionwise(threshold=0, nsd_tolerances=(0.5, 1.0)))
    # 26 border voxels a side; of the 18 in common, the middle of each one's shared face lies inside the other
    assert scores["lesionwise_nsd_0.5"] == pytest.approx(16 / 26, abs=1e-8)
    assert scores["lesionwise_nsd_1.0"] == pytest.approx(1, abs=1e-8)


def test_2024_scores_component_numbers_in_place_of_whole_masks(blocks, lesionwise):
    reference_xyz = blocks(((4, 4, 4), CUBE, 1), ((24, 4, 4), CUBE, 1))
    numbered = score(reference_xyz, reference_xyz, lesionwise(**JOINED, numbered_masks=True))
    # 64 voxels of value 1 and 64 of value 2 on both sides
    assert numbered["sensitivity"] == 64 / (64 + 128)
    assert numbered["specificity"] == (40 * 24 * 24 - 64) / (40 * 24 * 24 - 64 + 128)
    assert numbered["dice"] == 1
    assert numbered["hd95"] == 0
    assert score(reference_xyz, reference_xyz, lesionwise(**JOINED))["sensitivity"] == 1


def test_rows_list_each_lesion_and_each_false_positive(blocks, lesionwise):
    reference_xyz = blocks(((4, 4, 4), CUBE, 1), ((16, 4, 4), CUBE, 1), ((4, 16, 16), (1, 1, 1), 1))
    found_xyz = blocks(((4, 4, 4), CUBE, 1), ((30, 4, 4), (2, 2, 2), 1))
    rows = score_labels(found_xyz, reference_xyz, MM, lesionwise()).lesions
    rows = {(row.kind, row.volume, row.counted, row.components, row.scores["dice"]) for row in rows}
    assert rows == {
        ("matched", 64, True, 1, 1.0),
        ("missed", 64, True, 0, 0.0),
        ("missed", 1, False, 0, 0.0),
        ("false_positive", 8, True, 1, 0.0),
    }


def test_a_resection_cavity_is_a_separate_region(blocks):
    challenge = load_challenge("brats2024-gli")
    values = challenge.labels
    reference_xyz = blocks(((4, 4, 4), (6, 6, 6), values["RC"]), ((20, 4, 4), (6, 6, 6), values["SNFH"]))
    found_xyz = blocks(((20, 4, 4), (6, 6, 6), values["SNFH"]))
    regions = score_labels(found_xyz, reference_xyz, MM, challenge).regions
    assert {region: row["lesionwise_dice"] for region, row in regions.items()} == {
        "ET": 1, "TC": 1, "WT": 1, "NETC": 1, "SNFH": 1, "RC": 0,
    }  # fmt: skip
    assert regions["RC"]["lesionwise_hd95"] == 337


def test_cropping_does_not_change_scores(blocks, lesionwise):
    small = blocks(((2, 2, 2), CUBE, 1), ((12, 9, 9), CUBE, 1), shape=(20, 16, 16))
    found = np.roll(small, 1, axis=0)
    challenge = lesionwise(nsd_tolerances=(0.5, 1.0), **JOINED, numbered_masks=True)
    wide = [np.pad(labels, 9) for labels in (found, small)]
    inner, outer = score(found, small, challenge), score(*wide, challenge)
    assert inner.pop("specificity") < outer.pop("specificity")
    assert inner == outer
