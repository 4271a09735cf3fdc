import numpy as np
import pytest
import torch

from segcube.training.starters.patches import TrainPlan, draw_patch
from segcube.training.starters.samples import WHOLE, Sample


def sample(shape=(20, 24, 16), channels=1):
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (channels, *shape)).astype(np.float16)
    target = np.zeros((2, *shape), np.uint8)
    target[1, 3:7, 15:21, 4:10] = WHOLE
    target[0] = WHOLE - target[1]
    return Sample(image, target)


def plan(**changes):
    return TrainPlan(**{"kind": "labels", "patch": (8, 8, 8), "steps": 1, **changes})


def test_patches_have_the_size_of_the_plan_and_targets_from_0_to_1():
    image, target = draw_patch(np.random.default_rng(1), sample(channels=3), plan())
    assert image.shape == (3, 8, 8, 8)
    assert target.shape == (2, 8, 8, 8)
    assert image.dtype == target.dtype == torch.float32
    torch.testing.assert_close(target.sum(0), torch.ones(8, 8, 8))


def test_focused_patches_hold_the_target():
    rng = np.random.default_rng(2)
    shares = [draw_patch(rng, sample(), plan(focus_chance=1.0))[1][1].mean() for _ in range(20)]
    assert sum(share > 0.05 for share in shares) >= 18


def test_patches_are_0_beyond_a_small_volume():
    small = Sample(np.ones((1, 4, 4, 4), np.float16), np.full((1, 4, 4, 4), WHOLE, np.uint8))
    image, target = draw_patch(np.random.default_rng(3), small, plan(kind="regions", patch=(16, 16, 16)))
    assert (image[0, 0] == 0).all()
    assert (target[0, :, :, 0] == 0).all()
    assert target.sum() > 20


def test_image_and_target_move_together():
    rng = np.random.default_rng(4)
    inside = sample()
    same = Sample(inside.target_kxyz[1:].astype(np.float16), inside.target_kxyz)
    for _ in range(10):
        image, target = draw_patch(rng, same, plan(focus_chance=1.0))
        bright = image[0] > 0.6 * image.max()
        assert (bright == (target[1] > 0.6)).float().mean() > 0.9


def test_a_smaller_field_of_view_is_normalised_again():
    bright = Sample(np.full((1, 16, 16, 16), 9, np.float16), np.full((1, 16, 16, 16), WHOLE, np.uint8))
    image, _ = draw_patch(np.random.default_rng(5), bright, plan(kind="regions", crop_chance=1.0))
    assert image.abs().max() < 2


@pytest.mark.parametrize("crop_chance", [0.0, 1.0])
def test_the_same_seed_draws_the_same_patch(crop_chance):
    chosen = plan(crop_chance=crop_chance)
    first, again, other = (draw_patch(np.random.default_rng(seed), sample(), chosen)[0] for seed in (6, 6, 7))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
