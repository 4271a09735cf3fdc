from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from segcube.training.augment import make_batch
from segcube.training.keys import StepKey
from segcube.training.patches import IGNORE, OUTSIDE, PatchDraw, masked_channels, mirror_axes
from segcube.training.recipes import recipe_names

from ..cached import small_branch, small_rules
from .conftest import random_case

CPU = torch.device("cpu")
DRAWS = [PatchDraw(0, 1, (4.0, 5.0, 5.0), None), PatchDraw(1, 0, (2.0, 8.5, 6.0), "ET")]
EVERYTHING = {
    "augmentation": {
        "spatial": {"rotation": {"p": 1}, "elastic": {"p": 1}},
        "intensity": [
            {"kind": "noise", "p": 1},
            {"kind": "blur", "p": 1, "p_channel": 1},
            {"kind": "brightness", "p": 1},
            {"kind": "contrast", "p": 1},
            {"kind": "low_resolution", "p": 1, "p_channel": 1},
            {"kind": "gamma", "p": 1, "invert": True},
            {"kind": "gamma", "p": 1},
            {"kind": "scale", "p": 1, "factor": 0.1},
            {"kind": "shift", "p": 1, "offset": 0.1},
            {"kind": "adjust_contrast", "p": 1, "gamma": [0.5, 2]},
        ],
    }
}
CASES = [random_case(seed=0), random_case(seed=1)]


def batch_of(rules, step=3, draws=DRAWS, seed=5):
    return make_batch(CASES, draws, rules, StepKey(seed, step), CPU)


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_makes_a_batch(recipe):
    rules = small_rules(recipe=recipe)
    masks = [torch.ones_like(case.labels_xyz) if rules.cascade else None for case in CASES]
    cases = [replace(case, previous_xyz=mask) for case, mask in zip(CASES, masks, strict=True)]
    batch = make_batch(cases, DRAWS, rules, StepKey(5, 3), CPU)
    channels = 3 if rules.cascade and rules.cascade.as_ == "onehot_channels" else 2
    assert (batch.image_bcxyz.shape, batch.labels_bxyz.shape) == ((2, channels, 6, 7, 8), (2, 6, 7, 8))
    assert batch.image_bcxyz.isfinite().all()
    # Beyond the case there is no mask of a previous stage
    known = {0, 1, 2, OUTSIDE} | ({IGNORE} if rules.cascade else set())
    assert set(batch.labels_bxyz.unique().tolist()) <= known


def test_a_case_without_the_mask_of_the_previous_stage_is_refused():
    with pytest.raises(ValueError, match="has no mask of the previous stage"):
        batch_of(small_rules(recipe="mbas-stage2"))


def test_a_batch_depends_on_seed_and_step_alone():
    rules = small_rules(overrides=EVERYTHING)
    first = batch_of(rules)
    assert torch.equal(first.image_bcxyz, batch_of(rules).image_bcxyz)
    for other in (batch_of(rules, step=4), batch_of(rules, seed=6)):
        assert not torch.equal(first.image_bcxyz, other.image_bcxyz)


def test_a_sample_is_the_same_alone():
    rules = small_rules(overrides=EVERYTHING)
    together, alone = batch_of(rules), batch_of(rules, draws=DRAWS[1:])
    assert torch.equal(together.image_bcxyz[1], alone.image_bcxyz[0])
    assert torch.equal(together.labels_bxyz[1], alone.labels_bxyz[0])


@pytest.mark.parametrize("index", range(len(EVERYTHING["augmentation"]["intensity"])))
def test_each_transform_changes_the_image(index):
    spatial = {"rotation": None, "scaling": None, "mirror": None}
    transform = EVERYTHING["augmentation"]["intensity"][index]
    overrides = {"augmentation": {"spatial": spatial, "intensity": [transform]}}
    plain = batch_of(small_rules(overrides={"augmentation": {"spatial": spatial, "intensity": []}}))
    changed = batch_of(small_rules(overrides=overrides))
    assert (plain.image_bcxyz - changed.image_bcxyz).flatten(1).abs().amax(dim=1).min() > 1e-3
    assert torch.equal(plain.labels_bxyz, changed.labels_bxyz)


def test_two_transforms_of_a_kind_draw_different_numbers():
    spatial = {"rotation": None, "scaling": None, "mirror": None}
    twice = [{"kind": "brightness", "p": 1}] * 2
    one, two = (
        batch_of(small_rules(overrides={"augmentation": {"spatial": spatial, "intensity": twice[:count]}}))
        for count in (1, 2)
    )
    plain = batch_of(small_rules(overrides={"augmentation": {"spatial": spatial, "intensity": []}}))
    inside = plain.image_bcxyz.abs() > 0.1
    first = one.image_bcxyz[inside] / plain.image_bcxyz[inside]
    second = two.image_bcxyz[inside] / one.image_bcxyz[inside]
    assert (first - second).abs().min() > 1e-4


def test_masked_channels_are_zero_outside():
    schemes = [{"scheme": "zscore", "mask": "foreground"}, {"scheme": "zscore", "mask": "none"}]
    overrides = {"augmentation": {"intensity": [{"kind": "shift", "p": 1, "offset": 1}]}}
    batch = batch_of(small_rules(overrides=overrides, normalize=schemes))
    outside = batch.labels_bxyz == OUTSIDE
    assert outside.any()
    assert (batch.image_bcxyz[:, 0][outside] == 0).all()
    assert (batch.image_bcxyz[:, 1][outside] != 0).all()


def test_channels_whose_normalisation_uses_a_mask():
    schemes = [
        {"scheme": "zscore", "mask": "nonzero"},
        {"scheme": "ct", "bounds": [0, 1], "mean": 0, "std": 1},
        {"scheme": "rescale01", "percentiles": [1, 99], "mask": "foreground"},
        {"scheme": "zscore", "mask": "none"},
    ]
    branch = small_branch(normalize=schemes, channels=("t1n", "t1c", "t2w", "t2f"))
    assert masked_channels(branch) == (0, 2)


def test_mirrors_are_along_the_branchs_axes():
    rules = small_rules(axes="zyx", overrides={"augmentation": {"spatial": {"mirror": {"axes": ["x", "z"]}}}})
    assert mirror_axes(rules.augmentation.spatial, rules.branch) == (0, 2)
    rules = small_rules(axes="yzx", overrides={"augmentation": {"spatial": {"mirror": {"axes": ["x"]}}}})
    assert mirror_axes(rules.augmentation.spatial, rules.branch) == (2,)
