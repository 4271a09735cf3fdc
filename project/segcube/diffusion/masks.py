"""The label maps that images are sampled from: those of cases, deformed ones, or those of phantoms."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np
import torch

from segcube.diffusion.model import ModelFile
from segcube.phantoms import USUAL
from segcube.spec.challenges import Challenge
from segcube.training import PatchCase, PatchRules, StepKey, draw_patches
from segcube.training.augment import Batch, make_batch
from segcube.training.cache import CachedCase, CaseTensors
from segcube.training.recipes import (
    Augmentation,
    Elastic,
    Mirror,
    Rotation,
    Scaling,
    Spatial,
    Synthetic,
)
from segcube.training.stream import StreamRules, make_streamed

MaskSource: TypeAlias = Literal["cases", "deformed", "phantoms"]
AS_IT_IS = Augmentation()
DEFORMED = Augmentation(
    spatial=Spatial(
        rotation=Rotation(p=1.0, degrees=12.0),
        scaling=Scaling(p=1.0, factor=(0.9, 1.12)),
        elastic=Elastic(p=1.0, scale=(0.06, 0.12), magnitude=(0.3, 0.9)),
        mirror=Mirror(p=0.5, axes=("x",)),
        labels="linear",
    )
)
"""Small enough that a brain stays one: turns of 12 degrees and displacements of about a tenth of its size."""


def draw_mask(
    source: MaskSource,
    cases: tuple[CachedCase, ...],
    file: ModelFile,
    challenge: Challenge,
    key: StepKey,
) -> torch.Tensor:
    """Draw the label map of a sample, uint8 indices (1, X, Y, Z) with OUTSIDE beyond the body.

    It is a function of the key, whose step is the sample's index. Cases are taken in a random order; from the
    model's first number on, all of them before one is taken again. Raises UsageError for phantoms of a
    challenge that they do not have the labels or channels of.
    """
    rules = replace(file.patch_rules, augmentation=DEFORMED if source == "deformed" else AS_IT_IS)
    if source == "phantoms":
        synthetic = Synthetic(seed=key.seed, spacing=min(file.recipe.spacing), generator=USUAL)
        phantom = make_streamed(StreamRules(file.rules(challenge), synthetic), key.step)
        return _cut(phantom, phantom.tensors, rules, key).labels_bxyz
    # A round of all cases begins at the first number
    turn, place = divmod(key.step + (1 - file.first_number) % len(cases), len(cases))
    order = StepKey(key.seed, turn).generator("order of cases").permutation(len(cases))
    case = cases[int(order[place])]
    return _cut(case, _tensors(case), rules, key).labels_bxyz


def cut_case(case: CachedCase, file: ModelFile) -> tuple[np.ndarray, np.ndarray]:
    """Return a training case in the middle of the model's grid: z-scores (C, X, Y, Z) and label indices."""
    rules = replace(file.patch_rules, augmentation=AS_IT_IS)
    batch = _cut(case, _tensors(case), rules, StepKey(0, 0))
    return batch.image_bcxyz[0].numpy(), batch.labels_bxyz[0].numpy()


def _tensors(case: CachedCase) -> CaseTensors:
    image_cxyz, labels_xyz = (torch.from_numpy(np.array(a)) for a in (case.image_cxyz, case.labels_xyz))
    return CaseTensors(image_cxyz, labels_xyz, case.record.present)


def _cut(case: PatchCase, tensors: CaseTensors, rules: PatchRules, key: StepKey) -> Batch:
    draws = draw_patches([case], rules, key, [0])
    return make_batch([tensors], draws, rules, key, torch.device("cpu"))
