from __future__ import annotations

import numpy as np
import pytest

from segcube.errors import Code
from segcube.pipeline import Keep, predict_volume
from segcube.predict.cascade import Handed, follow
from segcube.submission import Follows
from segcube.types import Grid

GRID = Grid((10, 8, 6), np.diag([1.0, 1.0, 2.0, 1.0]))


def handed(*boxes) -> Handed:
    """One mask a name, a box each."""
    masks = np.zeros((len(boxes), *GRID.shape), dtype=bool)
    for mask_xyz, box in zip(masks, boxes, strict=True):
        mask_xyz[tuple(slice(a, b) for a, b in box)] = True
    return Handed(tuple(f"part{i}" for i in range(len(boxes))), masks)


def follows(**more) -> Follows:
    return Follows.model_validate({"stage": "heart", "as": "gate"} | more)


def test_the_gate_is_the_union_dilated_by_a_ball_of_voxels():
    one = ((4, 5), (4, 5), (3, 4))
    view = follow(follows(dilate={"radius": 1}), handed(one), GRID)
    assert view.gate_xyz is not None
    assert view.gate_xyz.sum() == 7
    assert view.gate_xyz[4, 4, 2]


def test_a_gate_on_the_branch_is_dilated_there():
    one = ((4, 5), (4, 5), (3, 4))
    view = follow(follows(grid="branch", dilate={"radius": 1}), handed(one), GRID)
    assert view.gate_xyz is None
    assert view.earlier.maps_lxyz.sum() == 1
    assert view.earlier.gate_of(view.earlier.maps_lxyz, (1.0, 1.0, 1.0)).sum() == 7
    assert view.earlier.channels_of(view.earlier.maps_lxyz) == []


def test_labels_that_exclude_each_other_are_one_map():
    boxes = ((0, 4), (0, 4), (0, 4)), ((8, 10), (6, 8), (4, 6))
    earlier = follow(follows(**{"as": "onehot_channels"}), handed(*boxes), GRID).earlier
    assert earlier.maps_lxyz.shape == (1, *GRID.shape)
    channels = np.concatenate(earlier.channels_of(earlier.maps_lxyz))
    assert np.array_equal(channels, handed(*boxes).masks_kxyz)


def test_regions_that_overlap_are_a_map_each():
    both = handed(((0, 4), (0, 4), (0, 4)), ((0, 2), (0, 2), (0, 2)))
    regions = Handed(both.names, both.masks_kxyz, "regions")
    earlier = follow(follows(**{"as": "onehot_channels"}), regions, GRID).earlier
    assert np.array_equal(np.concatenate(earlier.channels_of(earlier.maps_lxyz)), both.masks_kxyz)


def test_regions_are_painted_into_labels_that_the_names_order():
    both = handed(((0, 4), (0, 4), (0, 4)), ((0, 2), (0, 2), (0, 2)))
    regions = Handed(("WT", "TC"), both.masks_kxyz, "regions")
    paint = [{"region": "WT", "label": "ED"}, {"region": "TC", "label": "NCR"}]
    way = {"as": "onehot_channels", "paint": paint, "names": ["NCR", "ED"]}
    earlier = follow(follows(**way), regions, GRID).earlier
    ncr_xyz, ed_xyz = np.concatenate(earlier.channels_of(earlier.maps_lxyz))
    assert np.array_equal(ncr_xyz, both.masks_kxyz[1])
    assert np.array_equal(ed_xyz, both.masks_kxyz[0] & ~both.masks_kxyz[1])


def test_millimetres_follow_the_spacing():
    one = ((4, 5), (4, 5), (3, 4))
    view = follow(follows(dilate={"radius": 1, "unit": "mm"}), handed(one), GRID)
    assert view.gate_xyz is not None
    assert view.gate_xyz.sum() == 5
    assert not view.gate_xyz[4, 4, 2]


def test_only_the_largest_component_of_the_union_is_kept():
    big, small = ((0, 4), (0, 4), (0, 4)), ((8, 10), (6, 8), (4, 6))
    view = follow(follows(keep="largest_component"), handed(big, small), GRID)
    assert view.gate_xyz is not None
    assert view.gate_xyz.sum() == 64


def test_names_choose_what_counts():
    view = follow(follows(names=["part1"]), handed(((0, 4), (0, 4), (0, 4)), ((8, 10), (6, 8), (4, 6))), GRID)
    assert view.gate_xyz is not None
    assert view.gate_xyz.sum() == 8


def test_a_crop_is_the_box_with_its_margin_inside_the_volume():
    view = follow(follows(**{"as": "crop", "dilate": {"radius": 2}}), handed(((4, 5), (1, 3), (5, 6))), GRID)
    assert (view.frame.start, view.frame.stop) == ((2, 0, 3), (7, 5, 6))


@pytest.mark.parametrize("way", ["gate", "crop"])
def test_nothing_found_before_is_told_and_leaves_background(way):
    view = follow(follows(**{"as": way}), handed(((0, 0), (0, 0), (0, 0))), GRID)
    assert view.empty
    assert [notice.code for notice in view.notices] == [Code.EMPTY_GATE]


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
    view = follow(follows(), Handed(("heart",), mask_xyz[None]), heart.grid)
    assert 0 < view.gate_xyz.sum() < view.gate_xyz.size
    np.testing.assert_array_equal(gated, np.where(view.gate_xyz, alone, 0))


def test_earlier_labels_join_as_channels(cascade, heart):
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
    view = follow(follows(dilate={"radius": 1}), Handed(("heart",), mask_xyz[None]), heart.grid)
    np.testing.assert_array_equal(gated, np.where(view.gate_xyz, alone, 0))


def test_a_member_alone_stands_behind_the_gate_on_the_branch_too(cascade, heart, tmp_path):
    models = cascade(**{"as": "gate", "grid": "branch"})
    predict_volume(heart, models, keep=Keep(tmp_path, each_member=True))
    merged, alone = (
        np.load(file) for file in sorted(tmp_path.glob("*.npz"), key=lambda file: len(file.name))
    )
    expected_kxyz = merged["probabilities_kxyz"].astype(np.float16)
    np.testing.assert_array_equal(alone["probabilities_kxyz"], expected_kxyz)


def test_a_crop_leaves_background_around_it(cascade, heart, tmp_path, save_unet, models_of):
    first = stage("heart", save_unet(tmp_path, 1, 2, 0), ["background", "wall"])
    mask_xyz = predict_volume(heart, models_of({"challenge": "mbas2024", "stages": [first]})).labels_xyz > 0
    way = {"as": "crop", "keep": "largest_component", "dilate": {"radius": 1}}
    view = follow(
        Follows.model_validate({"stage": "heart"} | way), Handed(("heart",), mask_xyz[None]), heart.grid
    )
    labels_xyz = predict_volume(heart, cascade(**way)).labels_xyz
    inside = np.zeros(heart.grid.shape, dtype=bool)
    inside[view.frame.slices] = True
    assert labels_xyz[inside].any()
    assert not labels_xyz[~inside].any()
