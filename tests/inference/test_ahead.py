from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segcube.inference import predict_volume
from segcube.inference.cascade import prefetch_images


def stage(name, member, names, **more):
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
def models(tmp_path, save_unet, models_of):
    """The atria, alone or behind the heart's stage."""

    def build(stages: int):
        heart = stage("heart", save_unet(tmp_path, 1, 2, 0), ["background", "heart"])
        atria = stage("atria", save_unet(tmp_path, 1, 4, 1), ["background", "wall", "RA", "LA"])
        behind = atria | {"follows": {"stage": "heart", "as": "gate"}}
        return models_of({"challenge": "mbas2024", "stages": [atria] if stages == 1 else [heart, behind]})

    return build


@pytest.mark.parametrize("stages", [1, 2])
def test_labels_are_those_of_a_volume_prepared_in_its_turn(models, heart, stages):
    loaded = models(stages)
    expected_xyz = predict_volume(heart, loaded).labels_xyz
    assert len(np.unique(expected_xyz)) > 1
    ahead = prefetch_images(heart, loaded.loaded.submission.stages)
    np.testing.assert_array_equal(predict_volume(heart, loaded, ahead=ahead).labels_xyz, expected_xyz)
    assert not any(ahead.values())


def test_voxels_stay_while_a_later_stage_needs_them(models, heart):
    ahead = prefetch_images(heart, models(2).loaded.submission.stages)
    assert list(ahead) == ["heart"]
    assert heart.voxels[0].shape == heart.grid.shape


def test_voxels_that_no_stage_needs_any_more_are_let_go(models, heart):
    other = replace(heart)
    prefetch_images(other, models(1).loaded.submission.stages)
    assert other.voxels[0].size == 0
