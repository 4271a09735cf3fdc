import numpy as np
import pytest
import torch

from segcube.networks import build_network
from segcube.training.starters.fit import dice_and_entropy, soft_dice_loss, train_network
from segcube.training.starters.patches import TrainPlan
from segcube.training.starters.samples import WHOLE, Sample

SMALL = {"in_channels": 1, "out_channels": 1, "n_channels": 4, "block_counts": 1}


@pytest.fixture(scope="module")
def samples():
    """Bright balls in noise."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(3):
        grid = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"))
        ball = ((grid - rng.uniform(8, 16, 3).reshape(3, 1, 1, 1)) ** 2).sum(0) < 36
        image = rng.normal(0, 0.3, ball.shape) + 2 * ball
        made.append(Sample(image[None].astype(np.float16), (ball[None] * WHOLE).astype(np.uint8)))
    return made


@pytest.mark.parametrize("bf16", [False, True])
def test_training_lowers_the_loss(samples, bf16):
    torch.manual_seed(0)
    network = build_network("MedNeXtV1", SMALL)
    plan = TrainPlan(kind="regions", patch=(32, 32, 32), steps=16, rate=0.01, warmup=2, bf16=bf16)
    losses = train_network(network, samples, plan, log=[].append)
    assert len(losses) == 16
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    assert not network.training


def test_the_same_plan_trains_the_same_weights(samples):
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        network = build_network("MedNeXtV1", SMALL)
        plan = TrainPlan(kind="regions", patch=(32, 32, 32), steps=2)
        train_network(network, samples, plan, log=[].append)
        states.append(network.state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def test_progress_is_logged(samples):
    lines = []
    network = build_network("MedNeXtV1", SMALL)
    train_network(network, samples, TrainPlan(kind="regions", patch=(32, 32, 32), steps=25), log=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith("step 25/25 loss ")


def test_dice_by_hand():
    probability = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 4, 1, 1)
    target = torch.tensor([1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 4, 1, 1)
    assert float(soft_dice_loss(probability, target)) == pytest.approx(1 - (2 * 1 + 1) / (2 + 1 + 1))


def test_a_fractional_target_is_its_own_optimum():
    share = torch.full((1, 1, 2, 2, 2), 0.3)
    loss = {guess: float(soft_dice_loss(torch.full_like(share, guess), share)) for guess in (0.1, 0.3, 0.6)}
    assert loss[0.3] == pytest.approx(0, abs=1e-6)
    assert min(loss[0.1], loss[0.6]) > 0.01


@pytest.mark.parametrize("kind", ["regions", "labels"])
def test_a_confident_correct_prediction_has_no_loss(kind):
    target = torch.zeros(1, 2, 2, 2, 2)
    target[:, 0, 0] = 1
    target[:, 1, 1] = 1
    right = (target - 0.5) * 60
    assert float(dice_and_entropy(right, target, kind)) == pytest.approx(0, abs=1e-4)
    assert float(dice_and_entropy(-right, target, kind)) > 10


def test_the_dice_of_labels_skips_the_background():
    target = torch.zeros(1, 2, 1, 1, 4)
    target[:, 0] = 1
    logits = torch.zeros(1, 2, 1, 1, 4)
    dice = 1 - 1 / (4 * 0.25 + 1)
    assert float(dice_and_entropy(logits, target, "labels")) == pytest.approx(
        dice + torch.log(torch.tensor(2.0))
    )
