"""First weights, learning rates and updates of a training against those of nnU-Net's trainer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from segcube.core import Clock
from segcube.spec.challenges import load_challenge
from segcube.training.losses import OUTSIDE, build_loss, loss_outputs
from segcube.training.optim import build_updater, rate_at
from segcube.training.plan import Plan, make_plan
from segcube.training.plan.budget import build_training_network
from segcube.training.recipes import load_recipe
from segcube.training.step import Stepper, run_step

from ..training.plan.make import fingerprint_of
from ..training.toy import ToyBatch
from .trainers import TrainerRequest, relative, spec_of

pytestmark = pytest.mark.usefixtures("one_thread")
TOLERANCE = 1e-5
"""Relative to the loss, and to the largest change of a weight."""
STEPS, EPOCH = 5, 2
SHAPE = (32, 32, 32)
SEED = 11
CHALLENGE = load_challenge("brats2023-gli")
HEAD = (
    "training | steps | norm of the gradient | largest difference of a loss | "
    "largest difference of a weight's change"
)


@dataclass(frozen=True)
class Comparison:
    """A small training; factor: of the first weights of the outputs, which lengthen the gradient."""

    recipe: str
    outputs: str
    weight_decay: float
    factor: float
    clipped: bool


COMPARISONS = {
    "PlainConvUNet of labels": Comparison("nnunet", "labels", 3e-5, 1, clipped=False),
    "PlainConvUNet of regions, clipped, with more weight decay": Comparison(
        "nnunet", "regions", 0.1, 100, clipped=True
    ),
    "ResidualEncoderUNet of regions": Comparison("resenc-m", "regions", 3e-5, 1, clipped=False),
}


@cache
def plan_of(name: str) -> Plan:
    """The plan of a comparison, of four stages and few features."""
    compared = COMPARISONS[name]
    changes = {
        # Linear: at a kink of the activation, rounding decides which gradient a voxel has
        "network": {"arguments": {"nonlin_kwargs": {"inplace": True, "negative_slope": 1.0}}},
        "planning": {"base_features": 4, "batch": 2},
        "preprocessing": {"outputs": compared.outputs},
        "optimizer": {"weight_decay": compared.weight_decay},
        "schedule": {"interval": EPOCH},
        "precision": "fp32",
    }
    fingerprint = fingerprint_of(CHALLENGE, shape=SHAPE, cropped_shape=SHAPE)
    return make_plan(fingerprint, CHALLENGE, load_recipe(compared.recipe, changes))


@cache
def first_weights(name: str) -> dict[str, torch.Tensor]:
    """Those that the steps begin with: of a seed, the outputs' times the factor."""
    torch.manual_seed(SEED)
    state = build_training_network(plan_of(name), torch.device("cpu")).state_dict()
    factor = COMPARISONS[name].factor
    return {key: value * (factor if ".seg_layers." in key else 1) for key, value in state.items()}


def batches_of(plan: Plan) -> list[dict[str, np.ndarray]]:
    """Random images, and labels in nnU-Net's values."""
    rng = np.random.default_rng(0)
    coarse = [length // 4 for length in plan.patch]
    found = []
    for _ in range(STEPS):
        image = rng.standard_normal((plan.batch, len(plan.branch.channels), *plan.patch))
        labels = np.kron(rng.integers(-1, 4, (plan.batch, *coarse)), np.ones((1, 4, 4, 4)))
        found.append({"image": image.astype(np.float32), "labels": labels.astype(np.int16)})
    return found


def request_of(name: str) -> TrainerRequest:
    plan, compared = plan_of(name), COMPARISONS[name]
    not_theirs = ("input_channels", "num_classes", "deep_supervision", "block")
    architecture = {key: value for key, value in plan.arguments.items() if key not in not_theirs}
    spec = spec_of(
        regions=compared.outputs == "regions",
        batch_dice=plan.batch_dice,
        scan={"channels": len(plan.branch.channels)},
        network=plan.network,
        architecture=architecture,
    )
    arrays = {f"weights {key}": value.numpy() for key, value in first_weights(name).items()}
    for step, batch in enumerate(batches_of(plan)):
        arrays |= {f"{step} {key}": value for key, value in batch.items()}
    settings: dict[str, Any] = {"seed": SEED, "steps": STEPS, "epochs": 3}
    return TrainerRequest("steps", spec, arrays, settings | {"weight_decay": compared.weight_decay})


def trainer_requests() -> dict[str, TrainerRequest]:
    """Ask for steps, and for the learning rates of all epochs."""
    return {"rates": TrainerRequest("rates", spec_of())} | {name: request_of(name) for name in COMPARISONS}


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_first_weights_are_nnunets(name, trainer_answers):
    _, expected = trainer_answers[name]
    torch.manual_seed(SEED)
    network = build_training_network(plan_of(name), torch.device("cpu"))
    for key, value in network.state_dict().items():
        assert np.array_equal(value.numpy(), expected[f"first {key}"]), key


@pytest.mark.parametrize("name", COMPARISONS)
def test_steps_change_the_weights_as_nnunets_do(name, trainer_answers, tabulate):
    _, expected = trainer_answers[name]
    plan, first = plan_of(name), first_weights(name)
    recipe = plan.recipe
    network = build_training_network(plan, torch.device("cpu"))
    network.load_state_dict(first)
    loss = build_loss(recipe.loss, loss_outputs(plan.branch.outputs, CHALLENGE), batch_dice=plan.batch_dice)
    updater = build_updater(network, recipe.optimizer)
    stepper = Stepper(network, loss, updater, "fp32", recipe.optimizer.clip or np.inf)
    losses, norms = [], []
    for step, arrays in enumerate(batches_of(plan)):
        labels = np.where(arrays["labels"] == -1, OUTSIDE, arrays["labels"]).astype(np.uint8)
        batch = ToyBatch(torch.from_numpy(arrays["image"]), torch.from_numpy(labels))
        rate = rate_at(recipe.schedule, recipe.optimizer.learning_rate, step, 3 * EPOCH)
        result = run_step(stepper, batch, rate, 1, 1.0, Clock())
        losses.append(result.losses["loss"])
        norms.append(result.gradient_norm)

    change = torch.cat([(value - first[key]).flatten() for key, value in network.state_dict().items()])
    theirs = np.concatenate([(expected[f"last {key}"] - first[key].numpy()).ravel() for key in first])
    found = relative(torch.tensor(losses), expected["losses"]), relative(change, theirs)
    row = f"{name} | {STEPS} | {min(norms):.3g} to {max(norms):.3g} | {found[0]:.1e} | {found[1]:.1e}"
    tabulate("steps.md", HEAD, row)
    assert (min(norms) > 12) if COMPARISONS[name].clipped else (max(norms) < 12)
    assert max(found) <= TOLERANCE


def test_the_learning_rate_of_each_epoch_is_nnunets(trainer_answers):
    _, expected = trainer_answers["rates"]
    recipe = load_recipe("nnunet")
    for step_of_epoch in (0, recipe.epoch - 1):
        steps = range(step_of_epoch, recipe.steps, recipe.epoch)
        rates = [rate_at(recipe.schedule, 0.01, step, recipe.steps) for step in steps]
        assert np.allclose(rates, expected["rates"], rtol=1e-12, atol=0)


def test_the_recipes_numbers_are_the_trainers(trainer_answers):
    _, expected = trainer_answers["rates"]
    recipe = load_recipe("nnunet")
    optimizer = recipe.optimizer
    found = [optimizer.learning_rate, optimizer.weight_decay, optimizer.momentum, optimizer.nesterov]
    assert [*found, recipe.steps // recipe.epoch, recipe.epoch] == expected["numbers"].tolist()
