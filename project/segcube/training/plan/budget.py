"""Budget of a plan: what one real step takes on a device, and how the batch is divided to fit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import torch

from segcube.core import LOG, Clock, EnvironmentFault, duration
from segcube.networks import build_network
from segcube.training.device import step_precision
from segcube.training.losses import LossFunction, is_divisible
from segcube.training.optim import build_updater
from segcube.training.plan.checkpointing import checkpoint_blocks
from segcube.training.plan.memory import GB, available_gb, peak_gb, reset_peak, simulate_peak_gb
from segcube.training.plan.schema import Budget, Plan
from segcube.training.step import Stepper, run_step

STEPS = {"cuda": (2, 5), "cpu": (1, 2)}
"""By device: steps before the measurement, which choose kernels, and steps that are timed."""
SLOW_SECONDS = 30.0
"""A first step that takes longer is the measurement."""
LARGE_GB = 1.0
"""A step on a CPU that takes more computes sample by sample."""
SCRATCH = 1.5
"""Memory of a step on a CPU in terms of its tensors: kernels allocate more of their own."""
STATES = {"sgd": 1, "adam": 2, "adamw": 2, "schedule-free-adamw": 2}
"""Copies of the weights that an optimizer keeps."""


@dataclass(frozen=True)
class StepCost:
    """What a step took."""

    seconds: float
    memory_gb: float


@dataclass(frozen=True)
class _Patches:
    image_bcxyz: torch.Tensor
    target: torch.Tensor


def build_training_network(plan: Plan, device: torch.device) -> torch.nn.Module:
    """Build a plan's network with random weights, in training mode, checkpointed if the plan asks for it.

    nnU-Net's networks start as nnU-Net sets them: normal weights after He et al. 2015, biases of 0, and
    residual blocks that add nothing. Others start with torch's weights.
    """
    with torch.device(device):
        network = build_network(plan.network, plan.arguments).train()
        initialize = getattr(network, "initialize", None)
        if initialize is not None:
            network.apply(initialize)
    if plan.gradient_checkpointing:
        checkpoint_blocks(network)
    return network


def fit_plan(plan: Plan, loss: LossFunction, device: torch.device, memory_gb: float | None = None) -> Plan:
    """Measure steps of a plan until one fits into memory; returns the plan with its estimate.

    memory_gb: that the training may take; None for all that is available. The batch is divided first, where
    its loss is that of its parts; then blocks are checkpointed, if the recipe permits it. A CPU computes the
    samples of a large batch one after another in any case: as fast, with less memory. Raises EnvironmentFault
    where nothing fits.
    """
    available = available_gb(device) if memory_gb is None else memory_gb
    if device.type == "cpu" and _is_divisible(plan) and simulate_step_gb(plan) > LARGE_GB:
        plan = plan.model_copy(update={"accumulate": plan.batch})
    for candidate in _candidates(plan):
        if device.type == "cpu" and simulate_step_gb(candidate) > available:
            # A real attempt would end the process
            continue
        cost = _attempt(candidate, loss, device)
        # A CPU's peak is that of the whole process, whose other memory is taken already
        if cost is not None and (cost.memory_gb <= available or device.type == "cpu"):
            return candidate.model_copy(update={"estimate": _budget(plan, cost, device, available)})
    patch = " x ".join(map(str, plan.patch))
    raise EnvironmentFault(
        f"a step of {plan.network} with patches of {patch} needs more than the {available:.1f} GB available",
        expected="a device with more memory, or a smaller plan",
        hint="lower planning.memory_gb or planning.patch of the recipe",
    )


def _attempt(plan: Plan, loss: LossFunction, device: torch.device) -> StepCost | None:
    """What a step takes; None where a GPU has too little memory."""
    try:
        return measure_step(plan, loss, device)
    except torch.OutOfMemoryError:
        return None
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _candidates(plan: Plan) -> Iterator[Plan]:
    """The plan as it is, then in more and more parts, then the same with checkpointed blocks."""
    choice = plan.recipe.gradient_checkpointing
    checkpointing = [False, True] if choice == "auto" else [plan.gradient_checkpointing]
    parts = [plan.accumulate]
    while _is_divisible(plan) and parts[-1] < plan.batch:
        parts.append(min(parts[-1] * 2, plan.batch))
    for checkpointed in checkpointing:
        for number in parts:
            yield plan.model_copy(update={"accumulate": number, "gradient_checkpointing": checkpointed})


def _is_divisible(plan: Plan) -> bool:
    return is_divisible(plan.recipe.loss, batch_dice=plan.batch_dice)


def measure_step(plan: Plan, loss: LossFunction, device: torch.device) -> StepCost:
    """Run steps of a plan on random patches: forward and backward passes and the update of the weights.

    Raises torch.OutOfMemoryError where a GPU has too little memory.
    """
    recipe = plan.recipe
    network = build_training_network(plan, device)
    updater = build_updater(network, recipe.optimizer)
    clip = float("inf") if recipe.optimizer.clip is None else recipe.optimizer.clip
    stepper = Stepper(network, loss, updater, step_precision(recipe.precision, device), clip)
    batch = _random_patches(plan, device)
    reset_peak(device)
    before, timed = STEPS[device.type]
    seconds = list[float]()
    for _ in range(before + timed):
        begin = time.perf_counter()
        # A step reads the loss, so that the GPU has finished it
        # At the end, where parts of the loss count that have no weight before
        run_step(stepper, batch, recipe.optimizer.learning_rate, plan.accumulate, 1.0, Clock(), progress=1.0)
        seconds.append(time.perf_counter() - begin)
        if seconds[0] > SLOW_SECONDS:
            break
    return StepCost(median(seconds[before:] or seconds), peak_gb(device))


def simulate_step_gb(plan: Plan) -> float:
    """Estimate the memory of a step on a CPU, in GB, without running it."""
    network = build_training_network(plan, torch.device("meta"))
    samples = -(-plan.batch // plan.accumulate)
    tensors = simulate_peak_gb(network, (samples, len(plan.input_channels), *plan.patch))
    optimizer = plan.recipe.optimizer
    copies = 1 + STATES[optimizer.kind] + (optimizer.average is not None)
    weights = sum(parameter.nbytes for parameter in network.parameters()) / GB
    return tensors * SCRATCH + weights * copies


def _random_patches(plan: Plan, device: torch.device) -> _Patches:
    channels = len(plan.input_channels)
    image_bcxyz = torch.randn((plan.batch, channels, *plan.patch), device=device)
    # Of the labels' indices 0 and 1, which every challenge has
    labels_bxyz = torch.randint(2, (plan.batch, *plan.patch), dtype=torch.uint8, device=device)
    return _Patches(image_bcxyz, labels_bxyz)


def _budget(plan: Plan, cost: StepCost, device: torch.device, available: float) -> Budget:
    return Budget(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        memory_gb=round(cost.memory_gb, 3),
        available_gb=round(available, 3),
        seconds=round(cost.seconds, 4),
        hours=round(cost.seconds * plan.recipe.steps / 3600, 2),
    )


def describe_budget(plan: Plan, limit_hours: float | None = None) -> str:
    """Describe the estimate in one line; a time limit that is too short is logged as a warning.

    Empty for a plan without an estimate.
    """
    budget = plan.estimate
    if budget is None:
        return ""
    if limit_hours is not None and budget.hours > limit_hours:
        jobs = -int(-budget.hours // limit_hours)
        LOG.warning(
            "at %.3g s a step, %s steps take %.3g h; the limit is %.3g h: expected %d jobs, each of which "
            "continues the one before, or fewer steps",
            budget.seconds,
            f"{plan.recipe.steps:,}",
            budget.hours,
            limit_hours,
            jobs,
        )
    parts = f", the batch in {plan.accumulate} parts" if plan.accumulate > 1 else ""
    checkpointed = ", gradient checkpointing" if plan.gradient_checkpointing else ""
    return (
        f"{budget.device}: {budget.memory_gb:.1f} of {budget.available_gb:.1f} GB{parts}{checkpointed}; "
        f"{budget.seconds:.3g} s a step: {duration(budget.seconds * plan.recipe.steps)} for "
        f"{plan.recipe.steps:,} steps, data and validation not counted"
    )
