"""Losses and their gradients against those of nnU-Net's trainers, from label maps on."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from segcube.training.losses import IGNORE, OUTSIDE, LossFunction, LossOutputs, build_loss
from segcube.training.losses.targets import shrink_labels
from segcube.training.recipes import load_recipe

from .trainers import IGNORED, LABELS, REGIONS, STRIDES, TrainerRequest, relative, spec_of

pytestmark = pytest.mark.usefixtures("one_thread")
TOLERANCE = 1e-5
"""Relative to the loss, and to its largest gradient."""
SEEDS = 4
PATCH = (16, 12, 20)
SIZES = [PATCH, (15, 9, 21), (7, 10, 13)]
"""Of label maps; a network's outputs have the first kind, even at each resolution."""
SCALES = 1 / np.cumprod(STRIDES, axis=0)[:-1]
HEAD = "loss | ignored voxels | cases | largest difference | largest difference of a gradient"
NAMES = {
    "ce": "Dice and cross-entropy of labels",
    "bce": "Dice and cross-entropy of regions",
    "topk": "Dice and cross-entropy of the hardest tenth of the voxels, of labels",
}
VARIANTS = [
    {"batch_dice": batch_dice, "supervised": supervised}
    for batch_dice, supervised in itertools.product((False, True), repeat=2)
]


KINDS = list(itertools.product(NAMES, (False, True)))


def label_maps(seed: int, ignore: bool) -> np.ndarray:
    """Label maps of all labels, -1 outside; without ET in the first map of seed 1.

    ignore: some voxels have no label; none has in the second map of seed 2, nor in both of seed 3.
    """
    chosen = [-1, 0, 0, 1, 2, 3] + [IGNORED] * 2 * ignore
    maps = np.random.default_rng(seed).choice(chosen, (2, *PATCH)).astype(np.int16)
    if seed == 1:
        maps[0][maps[0] == LABELS["ET"]] = 0
    if ignore and seed >= 2:
        maps[3 - seed :] = IGNORED
    return maps


def request_of(kind: str, ignore: bool, variant: dict[str, bool]) -> TrainerRequest:
    """Ask for a loss of random label maps and logits."""
    trainer = "nnUNetTrainerDiceTopK10Loss" if kind == "topk" else "nnUNetTrainer"
    spec = spec_of(regions=kind == "bce", ignore=ignore, trainer=trainer, **variant)
    arrays = {}
    for seed in range(SEEDS):
        rng = np.random.default_rng(100 + seed)
        arrays[f"{seed} labels"] = label_maps(seed, ignore)
        for level, scale in enumerate(SCALES if variant["supervised"] else SCALES[:1]):
            shape = (2, 3 if kind == "bce" else 4, *np.round(PATCH * scale).astype(int))
            arrays[f"{seed} logits {level}"] = (2 * rng.standard_normal(shape)).astype(np.float32)
    return TrainerRequest("losses", spec, arrays, {"seeds": SEEDS})


def trainer_requests() -> dict[Any, TrainerRequest]:
    """Ask for labels at lower resolutions, and for losses."""
    shrunk = {}
    for size in SIZES:
        labels = np.random.default_rng(0).integers(-1, IGNORED, (2, *size), dtype=np.int16, endpoint=True)
        shrunk["labels", size] = TrainerRequest("shrunk", spec_of(ignore=True), {"labels": labels})
    losses = {
        (kind, ignore, number): request_of(kind, ignore, variant)
        for kind, ignore in KINDS
        for number, variant in enumerate(VARIANTS)
    }
    return shrunk | losses


def stored(labels: np.ndarray) -> torch.Tensor:
    """Label maps as the cache stores them."""
    values = np.where(labels == -1, OUTSIDE, np.where(labels == IGNORED, IGNORE, labels))
    return torch.from_numpy(values.astype(np.uint8))


@pytest.mark.parametrize("size", SIZES)
def test_labels_at_lower_resolutions_are_nnunets(size, trainer_answers):
    request, expected = trainer_answers["labels", size]
    assert len(expected) == len(SCALES)
    for target in expected.values():
        found = shrink_labels(stored(request.arrays["labels"]), target.shape[1:], "nearest-exact").numpy()
        # nnU-Net's targets hold background in place of -1
        assert np.array_equal(np.where(found == OUTSIDE, 0, found), stored(target).numpy())


def loss_of(kind: str, ignore: bool, variant: dict[str, bool]) -> LossFunction:
    """The loss of recipe nnunet, with the changes that a kind requires."""
    changes: dict[str, Any] = {} if variant["supervised"] else {"supervision": "none"}
    if kind == "topk":
        changes["entropy"] = "topk"
    if kind == "bce" and ignore:
        # With an ignore label nnU-Net sums the entropies of regions, of which the recipe takes the mean
        changes["entropy_weight"] = 3.0
    labels = [(value,) for value in LABELS.values()]
    regions = [tuple(values) for values in REGIONS.values() if values]
    outputs = LossOutputs("labels", tuple(labels), ignore)
    if kind == "bce":
        outputs = LossOutputs("regions", tuple(regions), ignore)
    return build_loss(
        load_recipe("nnunet", {"loss": changes}).loss, outputs, batch_dice=variant["batch_dice"]
    )


@pytest.mark.parametrize(("kind", "ignore"), KINDS)
def test_the_loss_and_its_gradient_are_nnunets(kind, ignore, trainer_answers, tabulate):
    of_values, of_gradients = [], []
    for number, variant in enumerate(VARIANTS):
        request, expected = trainer_answers[kind, ignore, number]
        arrays, loss = request.arrays, loss_of(kind, ignore, variant)
        for seed in range(SEEDS):
            names = [name for name in arrays if name.startswith(f"{seed} logits")]
            logits = [torch.from_numpy(arrays[name]).requires_grad_() for name in names]
            value = loss(logits, stored(arrays[f"{seed} labels"]))["loss"]
            value.backward()
            of_values.append(relative(value, expected[f"{seed} loss"]))
            for level, tensor in enumerate(logits):
                gradient = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
                of_gradients.append(relative(gradient, expected[f"{seed} gradient {level}"]))
    value, gradient = np.max(of_values), np.max(of_gradients)
    some = "some" if ignore else "none"
    tabulate("losses.md", HEAD, f"{NAMES[kind]} | {some} | {len(of_values)} | {value:.1e} | {gradient:.1e}")
    assert value <= TOLERANCE
    assert gradient <= TOLERANCE
