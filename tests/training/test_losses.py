import pytest
import torch

from segcube.training.loop import dice_and_entropy, soft_dice_loss


def test_dice_by_hand():
    probability = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 4, 1, 1)
    target = torch.tensor([1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 4, 1, 1)
    assert float(soft_dice_loss(probability, target)) == pytest.approx(1 - (2 * 1 + 1) / (2 + 1 + 1))


def test_a_share_is_best_met_by_itself():
    share = torch.full((1, 1, 2, 2, 2), 0.3)
    loss = {guess: float(soft_dice_loss(torch.full_like(share, guess), share)) for guess in (0.1, 0.3, 0.6)}
    assert loss[0.3] == pytest.approx(0, abs=1e-6)
    assert min(loss[0.1], loss[0.6]) > 0.01


@pytest.mark.parametrize("kind", ["regions", "labels"])
def test_sure_and_right_costs_nothing(kind):
    target = torch.zeros(1, 2, 2, 2, 2)
    target[:, 0, 0] = 1
    target[:, 1, 1] = 1
    right = (target - 0.5) * 60
    assert float(dice_and_entropy(right, target, kind)) == pytest.approx(0, abs=1e-4)
    assert float(dice_and_entropy(-right, target, kind)) > 10


def test_background_is_left_out_of_the_dice_of_labels():
    target = torch.zeros(1, 2, 1, 1, 4)
    target[:, 0] = 1
    logits = torch.zeros(1, 2, 1, 1, 4)
    dice = 1 - 1 / (4 * 0.25 + 1)
    assert float(dice_and_entropy(logits, target, "labels")) == pytest.approx(
        dice + torch.log(torch.tensor(2.0))
    )
