import numpy as np
import pytest
import torch

from segcube.networks import build_network
from segcube.training.loop import train_network
from segcube.training.patches import TrainPlan
from segcube.training.samples import WHOLE, Sample

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


def test_progress_is_told(samples):
    lines = []
    network = build_network("MedNeXtV1", SMALL)
    train_network(network, samples, TrainPlan(kind="regions", patch=(32, 32, 32), steps=25), log=lines.append)
    assert len(lines) == 1
    assert lines[0].startswith("step 25/25 loss ")
