"""The training loop: batch, step, log, validation, state; until the last step or a request to end."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import torch

from segcube.core import LOG, Clock, EnvironmentFault, SegcubeError, log_traceback
from segcube.networks import stored_state
from segcube.training.guards import Divergence, check_divided, check_skipped, more_parts, save_batch
from segcube.training.keys import StepKey
from segcube.training.log import Record, StepLog, step_record
from segcube.training.optim import rate_at
from segcube.training.recipes import Schedule
from segcube.training.signals import EndRequested, Requests, Requeue
from segcube.training.state import Counters, load_state, save_state
from segcube.training.step import LossScale, Stepper, StepResult, TrainingBatch, loss_scale, run_step

SAVE_SECONDS = 600.0
MOST_VALIDATIONS = 3
"""A validation that was started so often, and killed each time, is left out."""
WEIGHTS, OPTIMIZER = "weights/", "optimizer/"

BatchSource: TypeAlias = Callable[[StepKey, Clock], TrainingBatch]
"""The batch of a step, timed as `data` and `augment`; raises EndRequested where its wait was ended."""


@dataclass(frozen=True)
class ValidationResult:
    """The score that the best weights have, the loss for a plateau schedule, and what the log holds."""

    score: float
    loss: float
    record: Record
    warnings: tuple[str, ...] = ()


Validate: TypeAlias = Callable[[torch.nn.Module, int], ValidationResult]
"""From a network with the averaged weights, in eval mode, after so many steps."""


@dataclass(frozen=True)
class Training:
    """All that a loop needs.

    digest: of recipe, plan and split, which a state has to match. divisible: whether the losses of the parts
    of a batch add up to that of the batch.
    """

    stepper: Stepper
    seed: int
    learning_rate: float
    schedule: Schedule
    digest: str
    steps: int
    divisible: bool
    source: BatchSource
    folder: Path
    log: StepLog
    save_best: Callable[[torch.nn.Module, int], None]
    """Saves a network as the best one."""
    validate: Validate | None = None
    validate_every: int = 1
    """Steps between two validations; the last step is followed by one too."""
    save_seconds: float = SAVE_SECONDS
    accumulate: int = 1
    """Parts into which each batch is divided from the first step."""


def train(training: Training, requests: Requests) -> Counters:
    """Train until the last step, from the last saved state; returns the counters at the end.

    A step depends on the state and its number alone: a training that was ended or killed continues with the
    same weights, to the bit, on a device whose kernels are deterministic. Raises Requeue where a signal asked
    to end, TrainingFault where it cannot go on.
    """
    counters = restore(training)
    check_divided(counters.accumulate, divisible=training.divisible)
    if counters.validations:
        _repeat_validation(training, counters)
    scale = loss_scale(training.stepper.precision, counters.scaler)
    divergence, saved_at = Divergence(), time.monotonic()
    while counters.step < training.steps:
        if requests.end is not None or requests.paused:
            _save(training, counters)
            requests.wait()
            if requests.end is not None:
                raise Requeue(requests.end, counters.step)
        clock = Clock()
        try:
            batch = training.source(StepKey(training.seed, counters.step), clock)
        except EndRequested:
            continue
        rate = rate_at(
            training.schedule, training.learning_rate, counters.step, training.steps, counters.plateau
        )
        result = _step_within_memory(training, counters, batch, rate, scale.scale, clock)
        counters.step += 1
        training.log.write(step_record(counters.step, result, rate, clock))
        _guard(training, counters, result, batch, scale)
        scale = scale.after(result.updated)
        counters.scaler = asdict(scale)
        if result.updated and divergence.update(result.losses["loss"]):
            training.log.event(counters.step, "divergence", f"the mean loss rose to {divergence.mean:.3g}")
        validated = _is_due(training, counters.step)
        if validated:
            counters.validations = 1
            # A training that is killed during the validation repeats that alone
            _save(training, counters)
            _validate(training, counters)
        timed = time.monotonic() - saved_at > training.save_seconds
        if (validated or timed) and counters.step < training.steps:
            _save(training, counters)
            saved_at = time.monotonic()
    _save(training, counters, must=True)
    return counters


def restore(training: Training) -> Counters:
    """Load the newest state into network and optimizer and cut later lines off the log; returns its counters.

    A training without a state starts at step 0. Raises EnvironmentFault as `load_state` does.
    """
    saved = load_state(training.folder, training.digest)
    if saved is None:
        training.log.rewind(0)
        return Counters(accumulate=training.accumulate)
    stepper = training.stepper
    # A module in two places has further keys for tensors that the state holds once
    stepper.network.load_state_dict(_part(saved.tensors, WEIGHTS), strict=False)
    stepper.updater.load(_part(saved.tensors, OPTIMIZER))
    LOG.info("continues after step %d", saved.counters.step)
    training.log.rewind(saved.counters.step, validated=not saved.counters.validations)
    return saved.counters


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _save(training: Training, counters: Counters, *, must: bool = False) -> None:
    """Save the state; a full disk is logged, and the training goes on unless it `must` be saved."""
    stepper = training.stepper
    tensors = {WEIGHTS + name: value for name, value in stored_state(stepper.network).items()}
    tensors |= {OPTIMIZER + name: value for name, value in stepper.updater.state().items()}
    try:
        save_state(training.folder, counters, tensors, training.digest)
    except EnvironmentFault as error:
        if must:
            raise
        LOG.warning("the state after step %d was not saved: %s", counters.step, error)


def _step_within_memory(
    training: Training, counters: Counters, batch: TrainingBatch, rate: float, scale: float, clock: Clock
) -> StepResult:
    """Run a step; where memory does not suffice, divide the batch from now on."""
    while True:
        try:
            progress = counters.step / training.steps
            return run_step(training.stepper, batch, rate, counters.accumulate, scale, clock, progress)
        except torch.OutOfMemoryError:
            size = len(batch.image_bcxyz)
            counters.accumulate = more_parts(counters.accumulate, size, divisible=training.divisible)
            # Gradients of the parts that fitted
            training.stepper.network.zero_grad(set_to_none=True)
            message = f"out of memory: each batch is divided into {counters.accumulate} parts from now on"
            training.log.event(counters.step, "memory", message)


def _guard(
    training: Training, counters: Counters, result: StepResult, batch: TrainingBatch, scale: LossScale
) -> None:
    """Count and report a step without an update. Raises TrainingFault after too many of them."""
    if result.updated:
        counters.skipped = 0
        return
    if scale.scale > 2.0 and math.isfinite(result.losses["loss"]):
        # The scaled gradient overflowed, as it does until the scale fits
        return
    counters.skipped += 1
    try:
        place = f"; its batch is {save_batch(training.folder, counters.step, batch)}"
    except EnvironmentFault as error:
        place = f"; its batch could not be saved: {error}"
    found = f"loss {result.losses['loss']}, norm of the gradient {result.gradient_norm}"
    training.log.event(counters.step, "skipped", f"step {counters.step} changed no weights: {found}{place}")
    check_skipped(counters.skipped, training.folder)


def _is_due(training: Training, step: int) -> bool:
    due = step % training.validate_every == 0 or step == training.steps
    return training.validate is not None and due


def _repeat_validation(training: Training, counters: Counters) -> None:
    """Repeat a validation during which the process was killed, unless that happened too often."""
    if counters.validations < MOST_VALIDATIONS:
        counters.validations += 1
        _save(training, counters)
        _validate(training, counters)
        return
    found = f"the validation after step {counters.step} was killed {counters.validations} times"
    training.log.event(counters.step, "validation", f"{found}: it is left out; it may need more memory")
    counters.validations = 0


def _validate(training: Training, counters: Counters) -> None:
    """Validate the averaged weights, and save them where they are the best.

    Whatever fails, such as a case, a disk or memory, is reported, and the training goes on.
    """
    try:
        _validate_averaged(training, counters)
    except Exception as error:
        found = str(error)
        if not isinstance(error, SegcubeError):
            log_traceback(error)
            found = f"{type(error).__name__}: {error}"
        training.log.event(counters.step, "validation", f"the validation after step {counters.step}: {found}")
    # Here, and not above, where the error's frames hold tensors: steps and windows need blocks of other sizes
    torch.cuda.empty_cache()
    counters.validations = 0


def _validate_averaged(training: Training, counters: Counters) -> None:
    """Validate in a copy of the network. Raises as the validation does."""
    assert training.validate is not None
    network = copy.deepcopy(training.stepper.network)
    network.load_state_dict(training.stepper.updater.averaged(), strict=False)
    begun = time.monotonic()
    result = training.validate(network.eval(), counters.step)
    seconds = round(time.monotonic() - begun, 3)
    training.log.write({"kind": "validation", "step": counters.step, "seconds": seconds, **result.record})
    for warning in result.warnings:
        training.log.event(counters.step, "validation", f"step {counters.step}: {warning}")
    counters.plateau = counters.plateau.after(result.loss, training.schedule)
    if counters.best is None or result.score > counters.best:
        training.save_best(network, counters.step)
        counters.best = result.score
