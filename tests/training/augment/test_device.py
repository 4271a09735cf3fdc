"""Nothing waits for the device, and all tensors are on it: on tensors without content, every wait fails."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segcube.training.augment import intensity, make_batch
from segcube.training.augment.spatial import ElasticDraw, displacement
from segcube.training.cache import CaseTensors
from segcube.training.keys import StepKey
from segcube.training.patches import OUTSIDE, PatchDraw

from ..cached import small_rules

META = torch.device("meta")
INTENSITY = [
    {"kind": "blur", "p": 1, "p_channel": 1},
    {"kind": "brightness", "p": 1},
    {"kind": "contrast", "p": 1},
    {"kind": "low_resolution", "p": 1, "p_channel": 1},
    {"kind": "gamma", "p": 1},
    {"kind": "shift", "p": 1, "offset": 0.1},
    {"kind": "adjust_contrast", "p": 1, "gamma": [0.5, 2]},
]
CASE = CaseTensors(
    torch.empty((2, 20, 20, 20), dtype=torch.float16, device=META),
    torch.empty((20, 20, 20), dtype=torch.uint8, device=META),
    (0, 1, OUTSIDE),
)


def test_a_wait_fails():
    with pytest.raises(RuntimeError):
        CASE.image_cxyz.max().item()
    with pytest.raises(NotImplementedError):
        CASE.labels_xyz.nonzero()


@pytest.mark.parametrize(
    "spatial",
    [
        {"rotation": None, "scaling": None},
        {"rotation": {"p": 1}},
        {"rotation": None, "scaling": {"p": 1}},
        {"rotation": {"p": 1}, "labels": "nearest", "border": "nearest"},
    ],
)
def test_a_batch_is_made_without_waiting(spatial):
    schemes = {"scheme": "zscore", "mask": "foreground"}
    overrides = {"augmentation": {"spatial": spatial, "intensity": INTENSITY}}
    rules = small_rules(overrides=overrides, normalize=schemes)
    draws = [PatchDraw(0, 0, (9.0, 9.0, 9.0), None), PatchDraw(1, 0, (2.0, 9.0, 16.0), None)]
    batch = make_batch([CASE], draws, rules, StepKey(0, 0), META)
    assert (batch.image_bcxyz.device, batch.labels_bxyz.device) == (META, META)


def test_noise_and_elastic_fields_are_made_without_waiting():
    normal = torch.empty((3, 6, 7, 8), device=META)
    assert displacement(normal, ElasticDraw(np.ones(3), np.ones(3))).device == META
    image = torch.empty((1, 2, 6, 7, 8), device=META)
    intensity.add_noise(image, np.array([0.1]), lambda _, shape: torch.empty(shape, device=META))
