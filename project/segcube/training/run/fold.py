"""Train one fold of a run, from where it stands to its last step, and write its weights."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import count

import torch

from segcube.core import LOG, Clock, UsageError, count_of, write_atomic
from segcube.evaluation import encode_json
from segcube.networks import save_network
from segcube.training.cache import load_residents
from segcube.training.cases import load_folds
from segcube.training.device import open_device, set_exactness, step_precision
from segcube.training.guards import lock_fold
from segcube.training.keys import StepKey
from segcube.training.log import StepLog
from segcube.training.loop import Training, Validate, train
from segcube.training.losses import build_loss, is_divisible, loss_outputs
from segcube.training.optim import build_updater
from segcube.training.plan import Plan, build_training_network
from segcube.training.progress import (
    RunFacts,
    draw_first_batch,
    draw_validation,
    exporter,
    show_progress,
    training_environment,
)
from segcube.training.recipes import Recipe
from segcube.training.run.fold_data import FoldData, batch_source, open_fold, open_stream
from segcube.training.run.folder import FoldFolder, FoldNumber, RunFolder
from segcube.training.run.lineage import check_samples
from segcube.training.run.origin import (
    check_origin,
    trained_steps,
    write_origin,
)
from segcube.training.run.start import StartRequest, check_start, find_start, start_network
from segcube.training.signals import EndRequested, Requests, receive_requests
from segcube.training.state import Counters, remove_states
from segcube.training.step import Stepper
from segcube.training.validation import PredictedCase, ValidationCase, validator

RESIDENT_SHARE = 0.5
"""Of a GPU's free memory, beside that of a step, which cases may take."""


@dataclass(frozen=True)
class TrainOptions:
    """How to train a fold.

    steps: in place of the recipe's. fresh: remove an earlier training of the fold. exact: deterministic
    kernels on a GPU. exports: other tools that get the log. resident_gb: cases that stay in the memory of the
    device; None for what is free on a GPU, and none on a CPU, whose page cache holds the mapped files. start:
    trained weights to start from.
    """

    steps: int | None = None
    device: str = "auto"
    fresh: bool = False
    exact: bool = False
    exports: tuple[str, ...] = ()
    resident_gb: float | None = None
    start: StartRequest = field(default_factory=StartRequest)


def train_fold(run: RunFolder, fold: FoldNumber, options: TrainOptions | None = None) -> Counters:
    """Train a fold until its last step, from the last saved state; returns the counters at the end.

    Writes final.safetensors, and best.safetensors of the best validation. A fold that is finished is left as
    it is. Raises UsageError for an unknown fold and where another process trains it, EnvironmentFault for a
    cache that is missing or changed and a state of another plan, Requeue and TrainingFault as `train` does.
    """
    options = options or TrainOptions()
    folder = run.fold(fold)
    # Raises for an unknown one, before its folder is created
    load_folds(run.folds).split(fold)
    with lock_fold(folder.root), receive_requests(folder.root) as requests:
        data = open_fold(run, fold)
        check_samples(run, fold)
        start = find_start(run, fold, options.start, fresh=options.fresh)
        if options.fresh:
            if start is not None:
                check_start(data.plan, start)
            remove_training(folder)
            shutil.rmtree(run.validated(fold).root, ignore_errors=True)
        data = replace(data, start=start)
        steps, before = options.steps or data.plan.recipe.steps, trained_steps(folder)
        if before:
            check_origin(folder, data.origin)
        if before >= steps:
            LOG.info("fold %s is trained already: %d steps, %d were asked for", fold, before, steps)
            return Counters(step=before)
        device = open_device(options.device)
        set_exactness(device, exact=options.exact)
        with open_stream(data, requests) as stream:
            data = replace(data, stream=stream)
            training = build_training(data, folder, device, options)
            _log_start(fold, data, training, device)
            counters = _train_with_progress(training, data, folder, options, requests)
        training.stepper.network.load_state_dict(training.stepper.updater.averaged(), strict=False)
        save_network(training.stepper.network, data.plan.network, data.plan.arguments, folder.final)
        write_origin(data.origin, folder, counters.step)
    return counters


def _log_start(fold: FoldNumber, data: FoldData, training: Training, device: torch.device) -> None:
    synthetic, parts = data.plan.recipe.synthetic, list[str]()
    if data.cases:
        parts.append(count_of(len(data.cases), "training case"))
    if synthetic is not None:
        parts.append(f"phantoms in {synthetic.share:.0%} of the samples")
    message = "fold %s: %s, %s steps in %s on %s; progress.html and first-batch.png in %s"
    place = (device, training.folder)
    LOG.info(message, fold, ", ".join(parts), f"{training.steps:,}", training.stepper.precision, *place)


def remove_training(folder: FoldFolder) -> None:
    """Remove what an earlier training of a fold left: its weights first, then states and log."""
    for file in (
        folder.final,
        folder.best,
        folder.origin,
        folder.first_batch,
        folder.start,
        folder.start_table,
    ):
        file.unlink(missing_ok=True)
    remove_states(folder.root)
    folder.log.unlink(missing_ok=True)


def build_training(
    data: FoldData, folder: FoldFolder, device: torch.device, options: TrainOptions
) -> Training:
    """Build network, loss, optimizer, batches and validation of a fold."""
    plan, recipe = data.plan, data.plan.recipe
    stepper = build_stepper(data, device, folder)
    cases = load_residents(data.cases, device, _resident_bytes(plan, device, options.resident_gb))
    return Training(
        stepper=stepper,
        seed=recipe.seed,
        learning_rate=recipe.optimizer.learning_rate,
        schedule=recipe.schedule,
        digest=data.origin.digest,
        steps=options.steps or recipe.steps,
        divisible=is_divisible(recipe.loss, batch_dice=plan.batch_dice),
        source=batch_source(cases, plan, device, data.stream),
        folder=folder.root,
        log=StepLog(folder.log),
        save_best=lambda network, _step: _save_best(network, plan, folder),
        validate=_validation(data, folder, device),
        validate_every=recipe.validation.every,
        accumulate=plan.accumulate,
    )


def build_stepper(data: FoldData, device: torch.device, folder: FoldFolder) -> Stepper:
    """Build the network of a plan with its loss and optimizer.

    Weights are random by the recipe's seed, or those that the fold starts from.
    """
    plan, recipe = data.plan, data.plan.recipe
    torch.manual_seed(recipe.seed)
    network = build_training_network(plan, device)
    if data.start is not None:
        start_network(network, plan, data.start, folder)
    ignore = plan.ignores(data.dataset.ignore_value)
    outputs = loss_outputs(plan.branch.outputs, data.challenge, ignore=ignore)
    loss = build_loss(recipe.loss, outputs, batch_dice=plan.batch_dice)
    clip = float("inf") if recipe.optimizer.clip is None else recipe.optimizer.clip
    precision = step_precision(recipe.precision, device)
    return Stepper(network, loss, build_updater(network, recipe.optimizer), precision, clip)


def _train_with_progress(
    training: Training, data: FoldData, folder: FoldFolder, options: TrainOptions, requests: Requests
) -> Counters:
    """Train with a progress page, and draw the first batch before the first step."""
    if not folder.first_batch.exists():
        keys = (StepKey(training.seed, step) for step in count())
        batches = (training.source(key, Clock()) for key in keys)
        with suppress(EndRequested):
            draw_first_batch(folder.first_batch, batches, data.plan, data.challenge)
    environment = training_environment(next(training.stepper.network.parameters()).device)
    environment["precision"] = training.stepper.precision
    write_atomic(folder.environment, encode_json(environment))
    name = folder.root.name.replace("_", " ")
    facts = RunFacts(data.plan, data.challenge, name, training.steps, environment)
    with ExitStack() as stack:
        exports = [
            stack.enter_context(exporter(kind, folder.root / kind, f"{folder.root.parent.name}-{name}"))
            for kind in options.exports
        ]
        follower = stack.enter_context(show_progress(folder.root, facts, training.log, exports))
        log = replace(training.log, followers=(follower,))
        return train(replace(training, log=log), requests)


def _validation(data: FoldData, folder: FoldFolder, device: torch.device) -> Validate | None:
    """The validation during a training, on cases at equal distances in the list; None without cases."""
    names = _spread(data.split.validation, data.plan.recipe)
    if not names:
        if data.plan.recipe.schedule.kind == "plateau":
            raise UsageError(
                "schedule plateau without validation cases",
                expected="a fold that is validated, or another schedule",
                hint="name a fold, or plan with --set schedule.kind=poly",
            )
        return None
    cases = [
        ValidationCase(data.dataset.case(name), data.dataset.label(name), data.previous.get(name))
        for name in names
    ]

    def draw(case: ValidationCase, found: PredictedCase) -> None:
        draw_validation(folder.root, case.case, found.found_xyz, found.reference_xyz, data.challenge)

    return validator(data.plan, data.challenge, cases, str(device), data.dataset.ignore_value, draw)


def _spread(names: Sequence[str], recipe: Recipe) -> list[str]:
    wanted = min(recipe.validation.cases, len(names))
    return [names[index * len(names) // wanted] for index in range(wanted)]


def _save_best(network: torch.nn.Module, plan: Plan, folder: FoldFolder) -> None:
    save_network(network, plan.network, plan.arguments, folder.best)


def _resident_bytes(plan: Plan, device: torch.device, resident_gb: float | None) -> int:
    if resident_gb is not None:
        return int(resident_gb * 1e9)
    if device.type == "cpu":
        return 0
    step = plan.estimate.memory_gb if plan.estimate else 0.0
    return max(0, int((torch.cuda.mem_get_info(device)[0] - step * 1e9) * RESIDENT_SHARE))
