"""A toy training for tests of the loop; as a program it trains in a folder until it is killed or done."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from segcube.training.log import StepLog
from segcube.training.loop import Training, ValidationResult, train
from segcube.training.losses import LossOutputs, build_loss
from segcube.training.optim import build_updater
from segcube.training.recipes import Loss, load_recipe
from segcube.training.signals import receive_requests
from segcube.training.step import Stepper

DIGEST = "0" * 64


@dataclass(frozen=True)
class ToyBatch:
    image_bcxyz: torch.Tensor
    target: torch.Tensor


def batch_of(key, size=2):
    generator = torch.Generator().manual_seed(int(key.generator("toy").integers(2**31)))
    labels = torch.randint(0, 2, (size, 6, 6, 6), generator=generator, dtype=torch.uint8)
    noise = torch.randn(size, 1, 6, 6, 6, generator=generator)
    return ToyBatch(labels[:, None] + 0.5 * noise, labels)


def toy_training(folder: Path, overrides=None, **changes) -> Training:
    values = {"optimizer": {"learning_rate": 0.01}, "validation": {"every": 5}, "precision": "fp32"}
    recipe = load_recipe("fast", values | {"loss": {"supervision": "none"}} | (overrides or {}))
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv3d(1, 4, 3, padding=1), torch.nn.LeakyReLU(), torch.nn.Conv3d(4, 2, 1)
    )
    loss = build_loss(Loss(supervision="none"), LossOutputs("labels", ((0,), (1,))), batch_dice=False)
    clip = recipe.optimizer.clip or float("inf")
    stepper = Stepper(network, loss, build_updater(network, recipe.optimizer), recipe.precision, clip)

    def validate(averaged, _step):
        with torch.no_grad():
            score = -float(averaged(torch.ones(1, 1, 6, 6, 6)).square().mean())
        return ValidationResult(score, -score, {"mean": score})

    folder.mkdir(parents=True, exist_ok=True)
    training = Training(
        stepper=stepper,
        seed=recipe.seed,
        learning_rate=recipe.optimizer.learning_rate,
        schedule=recipe.schedule,
        digest=DIGEST,
        steps=20,
        divisible=True,
        validate_every=5,
        source=lambda key, _clock: batch_of(key),
        folder=folder,
        log=StepLog(folder / "log.jsonl"),
        save_best=lambda network, _step: torch.save(network.state_dict(), folder / "best.pt"),
        validate=validate,
        save_seconds=0.0,
    )
    return replace(training, **changes)


def run(training: Training):
    # Sums of several threads differ in their last bits from those of one
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with receive_requests(training.folder) as requests:
            return train(training, requests)
    finally:
        torch.set_num_threads(threads)


def main(folder: Path, kill_after: int) -> None:
    training = toy_training(folder)

    def source(key, _clock):
        if key.step == kill_after:
            os.kill(os.getpid(), 9)
        return batch_of(key)

    run(replace(training, source=source))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
