from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segcube.core import Code, Grid
from segcube.inference import SavedProbabilities, predict_volume
from segcube.inference.cascade import StageResult, stage_input_of
from segcube.inference.pipeline import prepare_first_stages
from segcube.spec.submission import Follows

GRID = Grid((10, 8, 6), np.diag([1.0, 1.0, 2.0, 1.0]))


def result_of(*boxes) -> StageResult:
    """One mask a name, a box each."""
    masks = np.zeros((len(boxes), *GRID.shape), dtype=bool)
    for mask_xyz, box in zip(masks, boxes, strict=True):
        mask_xyz[tuple(slice(a, b) for a, b in box)] = True
    return StageResult(tuple(f"part{i}" for i in range(len(boxes))), masks)


def follows(**more) -> Follows:
    return Follows.model_validate({"stage": "heart", "as": "gate"} | more)


def test_the_gate_is_the_union_dilated_by_a_ball_of_voxels():
    one = ((4, 5), (4, 5), (3, 4))
    stage_input = stage_input_of(follows(dilate={"radius": 1}), result_of(one), GRID)
    assert stage_input.gate_xyz is not None
    assert stage_input.gate_xyz.sum() == 7
    assert stage_input.gate_xyz[4, 4, 2]


def test_a_gate_on_the_branch_is_dilated_there():
    one = ((4, 5), (4, 5), (3, 4))
    stage_input = stage_input_of(follows(grid="branch", dilate={"radius": 1}), result_of(one), GRID)
    assert stage_input.gate_xyz is None
    assert stage_input.previous.maps_lxyz.sum() == 1
    assert stage_input.previous.gate_of(stage_input.previous.maps_lxyz, (1.0, 1.0, 1.0)).sum() == 7
    assert stage_input.previous.channels_of(stage_input.previous.maps_lxyz) == []


def test_labels_that_exclude_each_other_are_one_map():
    boxes = ((0, 4), (0, 4), (0, 4)), ((8, 10), (6, 8), (4, 6))
    previous = stage_input_of(follows(**{"as": "onehot_channels"}), result_of(*boxes), GRID).previous
    assert previous.maps_lxyz.shape == (1, *GRID.shape)
    channels = np.concatenate(previous.channels_of(previous.maps_lxyz))
    assert np.array_equal(channels, result_of(*boxes).masks_kxyz)


def test_regions_that_overlap_are_a_map_each():
    both = result_of(((0, 4), (0, 4), (0, 4)), ((0, 2), (0, 2), (0, 2)))
    regions = StageResult(both.names, both.masks_kxyz, "regions")
    previous = stage_input_of(follows(**{"as": "onehot_channels"}), regions, GRID).previous
    assert np.array_equal(np.concatenate(previous.channels_of(previous.maps_lxyz)), both.masks_kxyz)


def test_regions_are_painted_into_labels_that_the_names_order():
    both = result_of(((0, 4), (0, 4), (0, 4)), ((0, 2), (0, 2), (0, 2)))
    regions = StageResult(("WT", "TC"), both.masks_kxyz, "regions")
    paint = [{"region": "WT", "label": "ED"}, {"region": "TC", "label": "NCR"}]
    way = {"as": "onehot_channels", "paint": paint, "names": ["NCR", "ED"]}
    previous = stage_input_of(follows(**way), regions, GRID).previous
    ncr_xyz, ed_xyz = np.concatenate(previous.channels_of(previous.maps_lxyz))
    assert np.array_equal(ncr_xyz, both.masks_kxyz[1])
    assert np.array_equal(ed_xyz, both.masks_kxyz[0] & ~both.masks_kxyz[1])


def test_millimetres_follow_the_spacing():
    one = ((4, 5), (4, 5), (3, 4))
    stage_input = stage_input_of(follows(dilate={"radius": 1, "unit": "mm"}), result_of(one), GRID)
    assert stage_input.gate_xyz is not None
    assert stage_input.gate_xyz.sum() == 5
    assert not stage_input.gate_xyz[4, 4, 2]


def test_only_the_largest_component_of_the_union_is_kept():
    big, small = ((0, 4), (0, 4), (0, 4)), ((8, 10), (6, 8), (4, 6))
    stage_input = stage_input_of(follows(keep="largest_component"), result_of(big, small), GRID)
    assert stage_input.gate_xyz is not None
    assert stage_input.gate_xyz.sum() == 64


def test_names_choose_what_counts():
    stage_input = stage_input_of(
        follows(names=["part1"]), result_of(((0, 4), (0, 4), (0, 4)), ((8, 10), (6, 8), (4, 6))), GRID
    )
    assert stage_input.gate_xyz is not None
    assert stage_input.gate_xyz.sum() == 8


def test_a_crop_is_the_box_with_its_margin_inside_the_volume():
    stage_input = stage_input_of(
        follows(**{"as": "crop", "dilate": {"radius": 2}}), result_of(((4, 5), (1, 3), (5, 6))), GRID
    )
    assert (stage_input.frame.start, stage_input.frame.stop) == ((2, 0, 3), (7, 5, 6))


@pytest.mark.parametrize("way", ["gate", "crop"])
def test_nothing_found_before_is_told_and_leaves_background(way):
    stage_input = stage_input_of(follows(**{"as": way}), result_of(((0, 0), (0, 0), (0, 0))), GRID)
    assert stage_input.empty
    assert [notice.code for notice in stage_input.notices] == [Code.EMPTY_GATE]


def stage(name, member, names, **more):
    branch = {
        "channels": ["lge"],
        "crop": "none",
        "normalize": {"mask": "none"},
        "outputs": {"kind": "labels", "names": names},
        "window": {"size": [16, 16, 8], "overlap": 0.5},
        "members": [member],
    }
    return {"name": name, "merge": "logits", "branches": [branch | more.pop("branch", {})]} | more


ATRIA = ["background", "wall", "RA", "LA"]


@pytest.fixture
def cascade(tmp_path, save_unet, models_of):
    """A two-stage submission of random U-Nets; `way` is how the second follows."""

    def build(channels: int = 1, **way):
        first = stage("heart", save_unet(tmp_path, 1, 2, 0), ["background", "heart"])
        second = stage("atria", save_unet(tmp_path, channels, 4, 1), ATRIA)
        return models_of(
            {"challenge": "mbas2024", "stages": [first, second | {"follows": {"stage": "heart"} | way}]}
        )

    return build


def test_behind_a_gate_the_labels_are_those_of_the_stage_alone(
    cascade, tmp_path, heart, save_unet, models_of
):
    gated = predict_volume(heart, cascade(**{"as": "gate"})).labels_xyz
    alone = predict_volume(
        heart,
        models_of({"challenge": "mbas2024", "stages": [stage("atria", save_unet(tmp_path, 1, 4, 1), ATRIA)]}),
    ).labels_xyz
    first = stage("heart", save_unet(tmp_path, 1, 2, 0), ["background", "wall"])
    mask_xyz = predict_volume(heart, models_of({"challenge": "mbas2024", "stages": [first]})).labels_xyz > 0
    stage_input = stage_input_of(follows(), StageResult(("heart",), mask_xyz[None]), heart.grid)
    assert 0 < stage_input.gate_xyz.sum() < stage_input.gate_xyz.size
    np.testing.assert_array_equal(gated, np.where(stage_input.gate_xyz, alone, 0))


def test_labels_of_the_previous_stage_join_as_channels(cascade, heart):
    labels_xyz = predict_volume(heart, cascade(2, **{"as": "onehot_channels"})).labels_xyz
    assert labels_xyz.shape == heart.grid.shape


def test_behind_a_gate_on_the_branch_the_logits_are_those_of_background(
    cascade, tmp_path, heart, save_unet, models_of
):
    gated = predict_volume(
        heart, cascade(**{"as": "gate", "grid": "branch", "dilate": {"radius": 1}})
    ).labels_xyz
    alone = predict_volume(
        heart,
        models_of({"challenge": "mbas2024", "stages": [stage("atria", save_unet(tmp_path, 1, 4, 1), ATRIA)]}),
    ).labels_xyz
    first = stage("heart", save_unet(tmp_path, 1, 2, 0), ["background", "wall"])
    mask_xyz = predict_volume(heart, models_of({"challenge": "mbas2024", "stages": [first]})).labels_xyz > 0
    stage_input = stage_input_of(
        follows(dilate={"radius": 1}), StageResult(("heart",), mask_xyz[None]), heart.grid
    )
    np.testing.assert_array_equal(gated, np.where(stage_input.gate_xyz, alone, 0))


def test_the_gate_on_the_branch_holds_for_the_output_of_each_member(cascade, heart, tmp_path):
    models = cascade(**{"as": "gate", "grid": "branch"})
    predict_volume(heart, models, save=SavedProbabilities(tmp_path, each_member=True))
    merged, alone = (
        np.load(file) for file in sorted(tmp_path.glob("*.npz"), key=lambda file: len(file.name))
    )
    expected_kxyz = merged["probabilities_kxyz"].astype(np.float16)
    np.testing.assert_array_equal(alone["probabilities_kxyz"], expected_kxyz)


def test_a_crop_leaves_background_around_it(cascade, heart, tmp_path, save_unet, models_of):
    first = stage("heart", save_unet(tmp_path, 1, 2, 0), ["background", "wall"])
    mask_xyz = predict_volume(heart, models_of({"challenge": "mbas2024", "stages": [first]})).labels_xyz > 0
    way = {"as": "crop", "keep": "largest_component", "dilate": {"radius": 1}}
    stage_input = stage_input_of(
        Follows.model_validate({"stage": "heart"} | way), StageResult(("heart",), mask_xyz[None]), heart.grid
    )
    labels_xyz = predict_volume(heart, cascade(**way)).labels_xyz
    inside = np.zeros(heart.grid.shape, dtype=bool)
    inside[stage_input.frame.slices] = True
    assert labels_xyz[inside].any()
    assert not labels_xyz[~inside].any()


def resampled(name, member, names, **more):
    branch = {
        "channels": ["lge"],
        "crop": "none",
        "spacing": [1.0, 1.0, 2.0],
        "outputs": {"kind": "labels", "names": names},
        "window": {"size": [16, 16, 8], "overlap": 0.5},
        "members": [member],
    }
    return {"name": name, "branches": [branch]} | more


@pytest.fixture
def one_or_two_stages(tmp_path, save_unet, models_of):
    """The atria, alone or within the gate of a stage before it."""

    def build(stages: int):
        heart = resampled("heart", save_unet(tmp_path, 1, 2, 0), ["background", "heart"])
        atria = resampled("atria", save_unet(tmp_path, 1, 4, 1), ["background", "wall", "RA", "LA"])
        gated = atria | {"follows": {"stage": "heart", "as": "gate"}}
        return models_of({"challenge": "mbas2024", "stages": [atria] if stages == 1 else [heart, gated]})

    return build


@pytest.mark.parametrize("stages", [1, 2])
def test_prefetched_images_give_the_same_labels(one_or_two_stages, heart, stages):
    loaded = one_or_two_stages(stages)
    expected_xyz = predict_volume(heart, loaded).labels_xyz
    assert len(np.unique(expected_xyz)) > 1
    images = prepare_first_stages(heart, loaded.loaded.submission.stages)
    np.testing.assert_array_equal(predict_volume(heart, loaded, prefetched=images).labels_xyz, expected_xyz)
    assert not any(images.values())


def test_voxels_stay_while_a_later_stage_needs_them(one_or_two_stages, heart):
    images = prepare_first_stages(heart, one_or_two_stages(2).loaded.submission.stages)
    assert list(images) == ["heart"]
    assert heart.voxels[0].shape == heart.grid.shape


def test_voxels_that_no_stage_needs_any_more_are_released(one_or_two_stages, heart):
    other = replace(heart)
    prepare_first_stages(other, one_or_two_stages(1).loaded.submission.stages)
    assert other.voxels[0].size == 0
