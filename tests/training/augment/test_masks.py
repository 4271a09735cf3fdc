import numpy as np
import pytest
import torch
from scipy import ndimage

from segcube.training.augment.masks import (
    apply_operator,
    change_masks,
    change_shapes,
    dilate_masks,
    one_hot,
    remove_components,
)
from segcube.training.keys import StepKey
from segcube.training.patches import PatchDraw
from segcube.training.recipes import Cascade, ComponentRemoval, MaskMorphology
from segcube.transforms import dilate


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 15])
def test_a_mask_is_dilated_as_inference_dilates_it(radius):
    rng = np.random.default_rng(radius)
    masks_bxyz = rng.random((2, 11, 12, 13)) < 0.01
    found = dilate_masks(torch.from_numpy(masks_bxyz.astype(np.uint8)), radius)
    for mask_xyz, found_xyz in zip(masks_bxyz, found, strict=True):
        np.testing.assert_array_equal(found_xyz.numpy(), dilate(mask_xyz, (radius,) * 3))


@pytest.mark.parametrize("operator", ["dilate", "erode", "close", "open"])
def test_an_operator_equals_scipys(operator):
    rng = np.random.default_rng(3)
    mask = ndimage.gaussian_filter(rng.normal(size=(16, 17, 18)), 1.5) > 0
    x, y, z = np.indices((5, 5, 5)) - 2
    ball = x**2 + y**2 + z**2 <= 4

    def grow(found):
        return ndimage.binary_dilation(found, ball)

    def shrink(found):
        return ndimage.binary_erosion(found, ball, border_value=1)

    expected = {"dilate": [grow], "erode": [shrink], "close": [grow, shrink], "open": [shrink, grow]}
    wanted = mask
    for step in expected[operator]:
        wanted = step(wanted)
    found = torch.from_numpy(mask.astype(np.uint8))
    apply_operator(found, 1, operator, 2)
    np.testing.assert_array_equal(found.numpy(), wanted)


def test_other_labels_lose_what_a_label_gains():
    mask = torch.tensor([[[1, 1, 2, 3, 3, 0]]], dtype=torch.uint8)
    apply_operator(mask, 2, "dilate", 1)
    assert mask.tolist() == [[[1, 2, 2, 2, 3, 0]]]


def test_a_component_is_removed_whole_and_only_one():
    mask = torch.tensor([[[1, 1, 0, 1, 0, 2, 0, 1, 1, 1, 0, 0]]], dtype=torch.uint8)
    before = mask.clone()
    remove_components(mask, ComponentRemoval(p=1, p_label=1, largest_share=0.5), 1, np.random.default_rng(0))
    (removed,) = [part for part in ([0, 1], [3], [7, 8, 9]) if not mask[0, 0, part].any()]
    before[0, 0, removed] = 0
    assert mask.tolist() == before.tolist()


def test_large_components_and_absent_labels_stay():
    mask = torch.zeros((4, 4, 4), dtype=torch.uint8)
    mask[:2] = 1
    before = mask.clone()
    remove_components(mask, ComponentRemoval(p=1, p_label=1), 3, np.random.default_rng(0))
    assert torch.equal(mask, before)


def test_masks_change_as_often_as_the_recipe_states():
    morphology = MaskMorphology(p=0.4, p_label=0.5, radius=(1, 1))
    changed = 0
    for seed in range(600):
        mask = torch.zeros((5, 5, 5), dtype=torch.uint8)
        mask[1:4, 1:4, 1:4] = 1
        before = mask.clone()
        change_shapes(mask, morphology, 1, np.random.default_rng(seed))
        changed += not torch.equal(mask, before)
    # Closing and opening leave this cube, or cut its corners: dilation, erosion and opening change it
    assert changed / 600 == pytest.approx(0.4 * 0.5 * 0.75, abs=0.05)


def test_changes_depend_on_seed_step_and_sample_alone():
    cascade = Cascade.model_validate(
        {"as": "onehot_channels", "morphology": {"p": 1, "p_label": 1}, "removal": {"p": 1, "p_label": 1}}
    )
    rng = np.random.default_rng(1)
    masks = torch.from_numpy((rng.random((2, 12, 12, 12)) < 0.02).astype(np.uint8))
    draws = [PatchDraw(sample, 0, (6, 6, 6), None) for sample in (0, 1)]
    both, second = masks.clone(), masks[1:].clone()
    change_masks(both, cascade, 1, draws, StepKey(4, 7))
    change_masks(second, cascade, 1, draws[1:], StepKey(4, 7))
    assert torch.equal(both[1], second[0])
    assert not torch.equal(both, masks)


def test_a_channel_for_each_label():
    masks = torch.tensor([[[[0, 2, 1]]]], dtype=torch.uint8)
    assert one_hot(masks, 3)[0, :, 0, 0].tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_a_dilation_belongs_to_a_gate():
    with pytest.raises(ValueError, match="dilate 2 as onehot_channels; expected as: gate, or dilate: 0"):
        Cascade.model_validate({"as": "onehot_channels", "dilate": 2})
