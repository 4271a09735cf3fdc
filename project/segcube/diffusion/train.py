"""Train a generative model, from where it stands to its last step."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import safetensors.torch
import torch

from segcube.core import LOG, Clock, count_of, duration, write_atomic
from segcube.diffusion.examples import Examples, ModelRequest, Selection, prepare_examples, select_cases
from segcube.diffusion.images import LIMITS, DenoisingBatch, condition, make_denoising_batch, scaled
from segcube.diffusion.lora import add_adapters, merge_adapters
from segcube.diffusion.model import (
    Base,
    ModelFile,
    ModelFolder,
    Trained,
    read_trained,
    read_weights,
    write_model_file,
)
from segcube.diffusion.network import Denoiser, DenoisingLoss, build_denoiser, check_weights
from segcube.diffusion.place import check_challenge, check_place, check_request, check_same, remove_model
from segcube.diffusion.process import build_process
from segcube.training import (
    BatchSource,
    Counters,
    Record,
    StepKey,
    StepLog,
    Stepper,
    Training,
    draw_patches,
    lock_fold,
    open_device,
    receive_requests,
    set_exactness,
    step_precision,
    train,
)
from segcube.training.augment import make_batch
from segcube.training.cache import CaseSource, load_residents
from segcube.training.optim import build_updater

RESIDENT_BYTES = 8e9
"""Cases that stay in the memory of a GPU."""
REPORTED = 50
"""Steps between two lines of the log on the terminal."""


@dataclass(frozen=True)
class ModelOptions:
    """How to train a model.

    steps: in place of the recipe's. fresh: remove an earlier training. exact: deterministic kernels on a GPU.
    """

    steps: int | None = None
    device: str = "auto"
    fresh: bool = False
    exact: bool = False


def train_model(request: ModelRequest, folder: ModelFolder, options: ModelOptions | None = None) -> Counters:
    """Train until the last step, from the last saved state, and write final.safetensors.

    A step depends on the state and its number alone: a training that was killed continues with the same
    weights. Raises as `select_cases` and `prepare_examples` do, UsageError for a folder with another model
    and where another process trains it, Requeue and TrainingFault as the training loop does.
    """
    options = options or ModelOptions()
    check_place(folder)
    # Before anything of an earlier model is removed or replaced
    selection = select_cases(request, folder)
    check_challenge(selection, folder)
    check_start(selection)
    device = open_device(options.device)
    set_exactness(device, exact=options.exact)
    with lock_fold(folder.root), receive_requests(folder.root) as requests:
        if not options.fresh:
            check_request(selection, folder)
        examples = prepare_examples(selection, folder)
        if options.fresh:
            remove_model(folder)
        check_same(examples.file, folder)
        if (own := request.run.root / examples.file.challenge).is_file():
            write_atomic(folder.root / examples.file.challenge, own.read_bytes())
        write_model_file(examples.file, folder)
        steps, trained = options.steps or request.recipe.steps, read_trained(folder)
        if trained is not None and trained.steps >= steps:
            LOG.info("the model is trained already: %d steps, %d were asked for", trained.steps, steps)
            return Counters(step=trained.steps)
        training = build_training(examples, folder, device, steps)
        _log_start(examples, training, device)
        counters = train(training, requests)
        _save(training, examples.file, folder, counters.step)
    return counters


def build_training(examples: Examples, folder: ModelFolder, device: torch.device, steps: int) -> Training:
    """Build network, optimizer and batches of a model."""
    file = examples.file
    recipe = file.recipe
    network = build_denoiser(recipe, len(file.branch.channels), examples.challenge)
    if file.base is not None:
        start_network(network, file.base)
    network.to(device)
    bound = RESIDENT_BYTES if device.type == "cuda" else 0
    cases = load_residents(examples.cases, device, int(bound))
    clip = math.inf if recipe.optimizer.clip is None else recipe.optimizer.clip
    precision = step_precision(recipe.precision, device)
    updater = build_updater(network, recipe.optimizer)
    return Training(
        stepper=Stepper(network, DenoisingLoss(recipe.loss), updater, precision, clip),
        seed=recipe.seed,
        learning_rate=recipe.optimizer.learning_rate,
        schedule=recipe.schedule,
        digest=file.digest,
        steps=steps,
        divisible=True,
        source=batch_source(cases, file, len(examples.challenge.labels), device),
        folder=folder.root,
        log=StepLog(folder.log, (_print_step(steps),)),
        save_best=lambda _network, _step: None,
    )


def check_start(selection: Selection) -> None:
    """Check, without memory for a network, that a training can start from its base; raises as it would."""
    base = selection.base
    if base is None:
        return
    folder = ModelFolder(base.folder)
    weights = read_weights(folder)
    with torch.device("meta"):
        channels = len(selection.rules.branch.channels)
        network = build_denoiser(selection.request.recipe, channels, selection.challenge)
    check_weights(network, weights, folder.final)
    if base.adapters is not None:
        add_adapters(network.unet, base.adapters.layers, base.adapters.rank, base.adapters.alpha)


def start_network(network: Denoiser, base: Base) -> None:
    """Load the weights of a model, and add its adapters.

    Raises UsageError where the model changed since, EnvironmentFault for weights of another network.
    """
    folder = ModelFolder(base.folder)
    weights = read_weights(folder)
    check_weights(network, weights, folder.final)
    network.unet.load_state_dict(weights)
    if base.adapters is not None:
        rules = base.adapters
        names = add_adapters(network.unet, rules.layers, rules.rank, rules.alpha)
        trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
        LOG.info(
            "adapters of rank %d on %s: %s parameters",
            rules.rank,
            count_of(len(names), "layer"),
            f"{trained:,}",
        )


def batch_source(cases: CaseSource, file: ModelFile, labels: int, device: torch.device) -> BatchSource:
    """Return the function that makes the noisy batch of a step; labels: of the challenge."""
    process, samples = build_process(file.recipe.process, LIMITS), range(file.recipe.batch)
    rules = file.patch_rules

    def make(key: StepKey, clock: Clock) -> DenoisingBatch:
        with clock.step("data"):
            draws = draw_patches(cases.cases, rules, key, samples)
        with clock.step("augment"):
            shown = {draw.case: cases[draw.case] for draw in draws}
            batch = make_batch(shown, draws, rules, key, device)
            masks_bkxyz = condition(batch.labels_bxyz, labels)
            return make_denoising_batch(scaled(batch.image_bcxyz), masks_bkxyz, process, key)

    return make


def _save(training: Training, file: ModelFile, folder: ModelFolder, steps: int) -> None:
    """Write the averaged weights, adapters merged."""
    network = training.stepper.network
    assert isinstance(network, Denoiser)
    network.load_state_dict(training.stepper.updater.averaged(), strict=False)
    merge_adapters(network)
    weights = {name: value.detach().cpu().contiguous() for name, value in network.unet.state_dict().items()}
    folder.trained.unlink(missing_ok=True)
    data = safetensors.torch.save(weights)
    write_atomic(folder.final, data)
    sha256 = hashlib.sha256(data).hexdigest()
    trained = Trained(steps=steps, sha256=sha256, digest=file.digest, origin=file.origin)
    write_atomic(folder.trained, (trained.model_dump_json(indent=1) + "\n").encode())


def _print_step(steps: int) -> Callable[[Record], None]:
    """Log the mean loss of the last steps, now and then."""
    losses: deque[float] = deque(maxlen=REPORTED)

    def follow(record: Record) -> None:
        if record["kind"] != "step":
            return
        losses.append(record["loss"])
        step, seconds = record["step"], sum(record["seconds"].values())
        if step == 1 or step % REPORTED == 0 or step == steps:
            mean, left = sum(losses) / len(losses), duration((steps - step) * seconds)
            LOG.info("[%d/%d] loss %.4f, %s left, %.2f GB", step, steps, mean, left, record["memory_gb"])

    return follow


def _log_start(examples: Examples, training: Training, device: torch.device) -> None:
    file = examples.file
    size, edges = (
        " x ".join(f"{value:g}" for value in values) for values in (file.patch, file.recipe.spacing)
    )
    message = "%s of %s: images of %s voxels of %s mm, %s steps in %s on %s"
    kind, cases = file.recipe.process.kind, count_of(len(examples.cases), "training case")
    precision = training.stepper.precision
    LOG.info(message, kind, cases, size, edges, f"{training.steps:,}", precision, device)
