import pytest
import schedulefree
import torch

from segcube.training.optim import build_updater
from segcube.training.recipes import Optimizer

KINDS = {
    "sgd": Optimizer(kind="sgd", learning_rate=0.1, weight_decay=1e-3),
    "adam": Optimizer(kind="adam", learning_rate=0.1),
    "adamw": Optimizer(kind="adamw", learning_rate=0.1, weight_decay=0.1),
    "average": Optimizer(kind="adamw", learning_rate=0.1, average=0.9),
    "schedule-free-adamw": Optimizer(kind="schedule-free-adamw", learning_rate=0.1, weight_decay=0.01),
}
RATES = (0.05, 0.1, 0.1, 0.02)


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))


def set_gradients(net, step):
    net.zero_grad()
    torch.manual_seed(step)
    net(torch.randn(5, 3)).square().mean().backward()


def train(net, updater, steps):
    for step in steps:
        set_gradients(net, step)
        updater.step(RATES[step])


@pytest.mark.parametrize("optimizer", KINDS.values(), ids=KINDS)
def test_a_restored_state_goes_on_bit_for_bit(optimizer):
    whole = network()
    reference = build_updater(whole, optimizer)
    train(whole, reference, range(4))

    first = network()
    before = build_updater(first, optimizer)
    train(first, before, range(2))
    weights = {name: value.clone() for name, value in first.state_dict().items()}
    state = {name: value.clone() for name, value in before.state().items()}
    second = network()
    second.load_state_dict(weights)
    after = build_updater(second, optimizer)
    after.load(state)
    train(second, after, range(2, 4))

    for name, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    for name, value in reference.averaged().items():
        assert torch.equal(value, after.averaged()[name])


@pytest.mark.parametrize("optimizer", KINDS.values(), ids=KINDS)
def test_averaging_does_not_change_the_training(optimizer):
    plain, averaging = network(), network()
    for net in (plain, averaging):
        updater = build_updater(net, optimizer)
        for step in range(4):
            train(net, updater, [step])
            if net is averaging:
                for value in updater.averaged().values():
                    value.zero_()
    for one, other in zip(plain.parameters(), averaging.parameters(), strict=True):
        assert torch.equal(one, other)


def test_schedule_free_equals_the_published_class():
    optimizer = KINDS["schedule-free-adamw"]
    ours, theirs = network(), network()
    updater = build_updater(ours, optimizer)
    reference = schedulefree.AdamWScheduleFree(theirs.parameters(), lr=1.0, weight_decay=0.01)
    reference.train()
    for step, rate in enumerate(RATES):
        train(ours, updater, [step])
        set_gradients(theirs, step)
        for group in reference.param_groups:
            group["lr"] = rate
        reference.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    reference.eval()
    for value, other in zip(updater.averaged().values(), theirs.parameters(), strict=True):
        torch.testing.assert_close(value, other)


def test_the_moving_average_follows_the_weights():
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(net.weight, 0.0)
    updater = build_updater(net, Optimizer(kind="sgd", learning_rate=1.0, momentum=0.0, average=0.75))
    net.weight.grad = torch.full_like(net.weight, -4.0)
    updater.step(1.0)
    assert (net.weight.item(), updater.averaged()["weight"].item()) == (4.0, 1.0)


def test_weights_without_a_gradient_stay():
    net = network()
    net[0].requires_grad_(False)
    before = net[0].weight.clone()
    train(net, build_updater(net, KINDS["sgd"]), range(2))
    assert torch.equal(net[0].weight, before)
