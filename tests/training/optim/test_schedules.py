import math

import pytest
import torch

from segcube.training.optim import Plateau, rate_at
from segcube.training.recipes import Schedule


def rates(schedule, steps=10, rate=1.0):
    return [rate_at(schedule, rate, step, steps) for step in range(steps)]


def test_poly_changes_once_an_interval():
    found = rates(Schedule(kind="poly", power=0.9, interval=5))
    assert found == [1.0] * 5 + [0.5**0.9] * 5


def test_warmup_grows_linearly_before_the_schedule():
    found = rates(Schedule(kind="poly", power=1.0, warmup=4), steps=8)
    assert found == [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]


def test_cosine_ends_near_its_minimum():
    schedule = Schedule(kind="cosine", minimum=0.2)
    assert rate_at(schedule, 1.0, 5, 10) == pytest.approx(0.6)
    assert rate_at(schedule, 1.0, 10, 10) == pytest.approx(0.2)


def test_multistep_reduces_at_each_milestone():
    schedule = Schedule(kind="multistep", milestones=(0.25, 0.5), factor=0.5)
    assert rates(schedule, steps=4) == [1.0, 0.5, 0.25, 0.25]


def test_a_longer_training_stretches_the_schedule():
    schedule = Schedule(kind="poly")
    assert rate_at(schedule, 1.0, 10, 20) == rate_at(schedule, 1.0, 20, 40)


def test_plateau_equals_torch():
    schedule = Schedule(kind="plateau", factor=0.5, patience=2)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, threshold=0.0)
    state = Plateau()
    for loss in (3.0, 2.0, 2.0, 2.5, 2.0, 1.0, 1.0, 1.0, math.inf, 1.0, 1.0, 1.0):
        state = state.after(loss, schedule)
        reference.step(loss)
        assert rate_at(schedule, 1.0, 0, 10, state) == optimizer.param_groups[0]["lr"]
