"""Train on a few fixed patches until they are learnt: a quick test of data, labels and network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from segcube.core import LOG, Clock
from segcube.training.augment import Batch, make_batch
from segcube.training.cache import load_residents
from segcube.training.device import open_device, set_exactness
from segcube.training.guards import TrainingFault, check_divided
from segcube.training.keys import StepKey
from segcube.training.losses import LossOutputs, is_divisible, loss_outputs, make_target
from segcube.training.optim import rate_at
from segcube.training.recipes import Augmentation
from segcube.training.run.fold import build_stepper
from segcube.training.run.fold_data import open_fold
from segcube.training.run.folder import FoldNumber, RunFolder
from segcube.training.sampling import draw_patches
from segcube.training.step import Stepper, run_step

GOAL = 0.95
STEPS = 1000
MEASURE_EVERY = 20


@dataclass(frozen=True)
class OverfitResult:
    """The mean Dice that the patches reached, and the steps until then."""

    dice: float
    steps: int


def overfit_fold(
    run: RunFolder, fold: FoldNumber, patches: int, device_name: str = "auto", steps: int | None = None
) -> OverfitResult:
    """Train on the first patches of a fold, without augmentation, until their mean Dice is 0.95.

    Each patch shows foreground. Nothing is written. steps: at most. Raises TrainingFault where the Dice is
    not reached, which points to wrong labels, wrong channels or a learning rate that does not fit, and for a
    batch in parts that `check_divided` refuses.
    """
    data = open_fold(run, fold)
    device = open_device(device_name)
    set_exactness(device, exact=False)
    sampling = data.plan.recipe.sampling.model_copy(update={"foreground": 1.0})
    recipe = data.plan.recipe.model_copy(update={"augmentation": Augmentation(), "sampling": sampling})
    plan = data.plan.model_copy(update={"recipe": recipe})
    # Its batches are single patches, but a plan that cannot be trained is refused here too
    check_divided(plan.accumulate, divisible=is_divisible(recipe.loss, batch_dice=plan.batch_dice))
    cases, rules = load_residents(data.cases, device, 0), plan.patch_rules
    batches = [
        make_batch(cases, draw_patches(data.cases, rules, key, [sample]), rules, key, device)
        for sample in range(patches)
        for key in [StepKey(recipe.seed, sample)]
    ]
    ignore = plan.ignores(data.dataset.ignore_value)
    outputs = loss_outputs(plan.branch.outputs, data.challenge, ignore=ignore)
    stepper, most, dice = build_stepper(data, device, run.fold(fold)), steps or STEPS, 0.0
    for step in range(most):
        rate = rate_at(recipe.schedule, recipe.optimizer.learning_rate, step, most)
        run_step(stepper, batches[step % patches], rate, 1, 1.0, Clock())
        if (step + 1) % MEASURE_EVERY == 0 or step + 1 == most:
            dice = _mean_dice(stepper, batches, outputs)
            LOG.info("[%d/%d] Dice of the training patches %.3f, goal %.2f", step + 1, most, dice, GOAL)
            if dice >= GOAL:
                return OverfitResult(dice, step + 1)
    raise TrainingFault(
        f"the training patches reached a Dice of {dice:.3f} in {most} steps",
        file=run.fold(fold).root,
        expected=f"{GOAL}",
        hint="look at images, labels and problems.csv; a lower learning rate or more --steps may help",
    )


def _mean_dice(stepper: Stepper, batches: Sequence[Batch], outputs: LossOutputs) -> float:
    """The mean over patches and outputs that these show, with the averaged weights."""
    network = stepper.network
    trained = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(stepper.updater.averaged(), strict=False)
    network.eval()
    with torch.inference_mode():
        values = [value for batch in batches for value in _dice(network(batch.image_bcxyz), batch, outputs)]
    network.load_state_dict(trained)
    network.train()
    return sum(values) / len(values) if values else 0.0


def _dice(logits_bkxyz: torch.Tensor, batch: Batch, outputs: LossOutputs) -> list[float]:
    target = make_target(batch.labels_bxyz, outputs)
    if outputs.kind == "regions":
        found_bkxyz = logits_bkxyz > 0
    else:
        chosen_bxyz = logits_bkxyz.argmax(dim=1)
        found_bkxyz = torch.stack([chosen_bxyz == index for index in range(logits_bkxyz.shape[1])], dim=1)
    if target.valid_bxyz is not None:
        found_bkxyz = found_bkxyz & target.valid_bxyz[:, None]
    # Of labels, the background comes first
    first = 0 if outputs.kind == "regions" else 1
    axes = (0, 2, 3, 4)
    both = (found_bkxyz & target.masks_bkxyz).sum(axes)[first:].tolist()
    total = (found_bkxyz.sum(axes) + target.masks_bkxyz.sum(axes))[first:].tolist()
    present = target.masks_bkxyz.sum(axes)[first:].tolist()
    return [2 * b / t for b, t, p in zip(both, total, present, strict=True) if p]
