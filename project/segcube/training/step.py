"""One training step: forward and backward pass of a batch, clipping, update."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from segcube.core import Clock
from segcube.training.optim import Updater
from segcube.training.recipes import TrainingPrecision

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingBatch(Protocol):
    """Patches on the training's device."""

    @property
    def image_bcxyz(self) -> torch.Tensor:
        """float32, the network's input."""
        ...

    @property
    def target(self) -> torch.Tensor:
        """What the loss compares the output with, such as label indices (B, X, Y, Z)."""
        ...


class StepLoss(Protocol):
    """The loss of a step: a function such as that of `build_loss`."""

    def __call__(
        self,
        outputs: Sequence[torch.Tensor],
        target: torch.Tensor,
        whole: torch.Tensor | None = None,
        progress: float = 0.0,
        /,
    ) -> dict[str, torch.Tensor]:
        """Return `loss` and its parts.

        outputs: of the network, full resolution first. whole: the target of the batch that this one is a part
        of. progress: share of the steps that are done.
        """
        ...


@dataclass(frozen=True)
class StepResult:
    """The loss and its parts; whether the weights were updated."""

    losses: dict[str, float]
    gradient_norm: float
    updated: bool


@dataclass
class LossScale:
    """The factor by which fp16 multiplies the loss, so that small gradients do not vanish.

    Halved after a gradient that is not finite, doubled after `GROWTH_STEPS` finite ones (torch's GradScaler).
    """

    scale: float = 1.0
    finite_steps: int = 0

    def after(self, finite: bool) -> LossScale:
        """Return the factor of the next step; 1 stays, for other precisions."""
        if self.scale == 1.0:
            return self
        if not finite:
            return LossScale(max(self.scale / 2, 2.0), 0)
        if self.finite_steps + 1 < GROWTH_STEPS:
            return LossScale(self.scale, self.finite_steps + 1)
        return LossScale(self.scale * 2, 0)


FIRST_SCALE, GROWTH_STEPS = 65536.0, 2000


def loss_scale(precision: TrainingPrecision, saved: Mapping[str, float]) -> LossScale:
    """Return the factor of a training's next step: that of the saved state, empty for a new training."""
    if saved:
        return LossScale(saved["scale"], int(saved["finite_steps"]))
    return LossScale(FIRST_SCALE if precision == "fp16" else 1.0)


@dataclass(frozen=True)
class Stepper:
    """A network with its loss and optimizer; clip: the largest norm of the gradient, infinity for none."""

    network: torch.nn.Module
    loss: StepLoss
    updater: Updater
    precision: TrainingPrecision
    clip: float


def run_step(
    stepper: Stepper,
    batch: TrainingBatch,
    rate: float,
    parts: int,
    scale: float,
    clock: Clock,
    progress: float = 0.0,
) -> StepResult:
    """Train on a batch.

    parts: into which the batch is divided, their gradients added, for want of memory. scale: of the loss.
    progress: share of the steps that are done. The weights are not updated where the loss or the gradient's
    norm is not finite. Raises torch.OutOfMemoryError with the weights as they were.
    """
    network = stepper.network
    network.zero_grad(set_to_none=True)
    sums: dict[str, torch.Tensor] = {}
    images, targets = batch.image_bcxyz.tensor_split(parts), batch.target.tensor_split(parts)
    for image_bcxyz, target in zip(images, targets, strict=True):
        with clock.step("forward"):
            outputs = _forward(stepper, image_bcxyz)
            whole = batch.target if parts > 1 else None
            losses = stepper.loss(outputs, target, whole, progress)
        with clock.step("backward"):
            (losses["loss"] * scale).backward()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0) + value.detach()
    with clock.step("update"):
        for parameter in network.parameters():
            if parameter.grad is not None and scale != 1.0:
                parameter.grad.div_(scale)
        norm = float(torch.nn.utils.clip_grad_norm_(network.parameters(), stepper.clip))
        values = {name: float(value) for name, value in sums.items()}
        finite = math.isfinite(norm) and math.isfinite(values["loss"])
        if finite:
            stepper.updater.step(rate)
    return StepResult(values, norm, finite)


def _forward(stepper: Stepper, image_bcxyz: torch.Tensor) -> Sequence[torch.Tensor]:
    """The output at each resolution, full resolution first."""
    dtype = PRECISIONS.get(stepper.precision)
    with torch.autocast(image_bcxyz.device.type, dtype, enabled=dtype is not None):
        outputs: Sequence[torch.Tensor] | torch.Tensor = stepper.network(image_bcxyz)
    return [outputs] if isinstance(outputs, torch.Tensor) else outputs
