import logging
import math

import pytest
import torch

from segcube.core import EnvironmentFault
from segcube.training.losses import LossFunction, build_loss, loss_outputs
from segcube.training.plan import Budget, Plan, budget, describe_budget, fit_plan, make_plan, measure_step
from segcube.training.plan.budget import simulate_step_gb
from segcube.training.recipes import load_recipe

from .make import fingerprint_of

CPU = torch.device("cpu")
SHAPE = (16, 16, 16)
SMALL = {"planning": {"base_features": 2, "batch": 4}, "precision": "fp32", "gradient_checkpointing": "auto"}


@pytest.fixture
def plan(glioma) -> Plan:
    return make_plan(
        fingerprint_of(glioma, shape=SHAPE, cropped_shape=SHAPE), glioma, load_recipe("nnunet", SMALL)
    )


@pytest.fixture
def loss(plan, glioma) -> LossFunction:
    return build_loss(plan.recipe.loss, loss_outputs(plan.branch.outputs, glioma), batch_dice=plan.batch_dice)


def needs(memory: dict[tuple[int, bool], float]):
    """A simulation that knows parts and checkpointing alone."""
    return lambda plan: memory[plan.accumulate, plan.gradient_checkpointing]


def test_a_step_is_measured(plan, loss):
    cost = measure_step(plan, loss, CPU)
    assert cost.seconds > 0
    assert cost.memory_gb > 0.05


@pytest.mark.parametrize(("slow", "steps"), [(float("inf"), 3), (0.0, 1)])
def test_a_slow_first_step_is_not_repeated(slow, steps, plan, loss, monkeypatch):
    monkeypatch.setattr(budget, "SLOW_SECONDS", slow)
    patches = list[torch.Size]()

    def counted(logits, labels_bxyz, batch_bxyz=None, progress=0.0):
        patches.append(labels_bxyz.shape)
        return loss(logits, labels_bxyz, batch_bxyz, progress)

    measure_step(plan, counted, CPU)
    assert patches == [(4, 16, 16, 16)] * steps


def test_a_plan_that_fits_stays_and_gets_its_estimate(plan, loss):
    fitted = fit_plan(plan, loss, CPU, memory_gb=4.0)
    assert fitted.model_copy(update={"estimate": None}) == plan
    found = fitted.estimate
    assert found is not None
    assert (found.device, found.available_gb) == ("cpu", 4.0)
    assert found.hours == pytest.approx(found.seconds * 250_000 / 3600, abs=0.01)


@pytest.mark.parametrize(
    ("available", "parts", "checkpointed"),
    [(40, 1, False), (25, 2, False), (12, 4, False), (9, 1, True), (5, 4, True)],
)
def test_the_batch_is_divided_before_blocks_are_checkpointed(
    available, parts, checkpointed, plan, loss, monkeypatch
):
    memory = {(1, False): 40, (2, False): 20, (4, False): 10, (1, True): 8, (2, True): 6, (4, True): 4}
    monkeypatch.setattr(budget, "simulate_step_gb", needs(memory))
    monkeypatch.setattr(budget, "LARGE_GB", math.inf)
    fitted = fit_plan(plan, loss, CPU, memory_gb=available)
    assert (fitted.accumulate, fitted.gradient_checkpointing) == (parts, checkpointed)


@pytest.mark.parametrize(("step_gb", "parts"), [(0.9, 1), (1.1, 4)])
def test_a_cpu_computes_a_large_batch_sample_by_sample(step_gb, parts, plan, loss, monkeypatch):
    monkeypatch.setattr(budget, "simulate_step_gb", lambda _: step_gb)
    assert fit_plan(plan, loss, CPU, memory_gb=40).accumulate == parts


@pytest.mark.parametrize("changes", [{"batch_dice": True}, {"entropy": "topk"}])
def test_a_loss_of_the_whole_batch_keeps_it_whole(changes, plan, loss, monkeypatch):
    memory = {(1, False): 40, (1, True): 8}
    monkeypatch.setattr(budget, "simulate_step_gb", needs(memory))
    recipe = plan.recipe.model_copy(update={"loss": plan.recipe.loss.model_copy(update=changes)})
    fitted = fit_plan(plan.model_copy(update={"recipe": recipe}), loss, CPU, memory_gb=10)
    assert (fitted.accumulate, fitted.gradient_checkpointing) == (1, True)


def test_a_plan_that_fits_nowhere_is_refused(plan, loss):
    with pytest.raises(
        EnvironmentFault, match=r"patches of 16 x 16 x 16 needs more than the 0\.0 GB available"
    ):
        fit_plan(plan, loss, CPU, memory_gb=0.0)


def test_the_simulation_counts_the_optimizers_state(plan):
    weights = 4 * sum(
        parameter.numel() for parameter in budget.build_training_network(plan, CPU).parameters()
    )
    recipe = plan.recipe
    average = recipe.optimizer.model_copy(update={"average": 0.99})
    more = plan.model_copy(update={"recipe": recipe.model_copy(update={"optimizer": average})})
    assert (simulate_step_gb(more) - simulate_step_gb(plan)) * 1e9 == pytest.approx(weights)


def test_a_network_starts_as_nnunets(plan):
    torch.manual_seed(0)
    network = budget.build_training_network(plan, CPU)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv3d)]
    assert not any(module.bias.any() for module in convolutions)
    widest = max(convolutions, key=lambda module: module.weight.numel())
    inputs = widest.weight[0].numel()
    assert float(widest.weight.detach().std()) == pytest.approx((2 / inputs) ** 0.5, rel=0.1)


def estimated(plan: Plan, hours: float) -> Plan:
    estimate = Budget(device="NVIDIA H100", memory_gb=7.53, available_gb=79.1, seconds=0.59, hours=hours)
    return plan.model_copy(update={"estimate": estimate, "accumulate": 2})


def test_an_estimate_is_described(plan):
    assert describe_budget(estimated(plan, 41.0)) == (
        "NVIDIA H100: 7.5 of 79.1 GB, the batch in 2 parts; 0.59 s a step: 40 h 58 min for 250,000 steps, "
        "data and validation not counted"
    )
    assert describe_budget(plan) == ""


@pytest.mark.parametrize(("hours", "jobs"), [(24.0, None), (24.1, 2), (48.0, 2), (48.1, 3)])
def test_a_time_limit_that_is_too_short_is_logged(hours, jobs, plan, caplog):
    with caplog.at_level(logging.WARNING):
        describe_budget(estimated(plan, hours), limit_hours=24)
    assert [f"expected {jobs} jobs" in message for message in caplog.messages] == [True] * (jobs is not None)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_with_little_memory_divides_the_batch(plan, loss):
    device = torch.device("cuda")
    whole = measure_step(plan, loss, device).memory_gb
    fitted = fit_plan(plan, loss, device, memory_gb=0.9 * whole)
    assert fitted.accumulate > 1
