"""The starter submissions, and the training recipe of each of their networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segcube.core import Shape
from segcube.spec.submission import Submission

_UNTRAINED = "0" * 64


@dataclass(frozen=True)
class Recipe:
    """The training of a member."""

    network: str
    arguments: Mapping[str, Any]
    steps: int
    seed: int = 0
    flips: tuple[int, ...] = ()
    """Axes to mirror at random."""
    crop_chance: float = 0.0
    """Probability of a patch from a smaller field of view, normalised again."""
    bf16: bool = False
    patch: Shape | None = None
    """Voxels of a training patch; None for the branch's window."""


@dataclass(frozen=True)
class Starter:
    """A submission before its training, without its members' sha256, and a recipe for each member."""

    submission: Submission
    recipes: Mapping[str, Recipe]
    cases: int
    """Synthetic cases to train on."""
    unions: Mapping[str, tuple[str, ...]]
    """The labels of each output that is neither a label nor a region of the challenge."""
    near_mm: float
    """Margin around the targets within which a stage that follows another is trained."""


def _mednext(n_channels: int, blocks: int, seed: int, steps: int) -> Recipe:
    arguments = {"in_channels": 4, "out_channels": 3, "n_channels": n_channels, "block_counts": blocks}
    return Recipe("MedNeXtV1", arguments, steps=steps, seed=seed, flips=(0,), patch=(64, 64, 64))


def _unet(features: tuple[int, ...], outputs: int, first_kernel: int, steps: int) -> Recipe:
    """nnU-Net's U-Net for a slice spacing of about twice the pixel spacing: z is not pooled at first."""
    stages = len(features)
    arguments = {
        "input_channels": 1,
        "num_classes": outputs,
        "n_stages": stages,
        "features_per_stage": features,
        "kernel_sizes": [[3, 3, first_kernel]] + [[3, 3, 3]] * (stages - 1),
        "strides": [[1, 1, 1], [2, 2, 1]] + [[2, 2, 2]] * (stages - 2),
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [1] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return Recipe("PlainConvUNet", arguments, steps=steps, crop_chance=0.4, bf16=True)


_BRATS_MEMBERS = {
    "mednext_w8_b2.safetensors": _mednext(8, 2, seed=0, steps=1050),
    "mednext_w12_b1.safetensors": _mednext(12, 1, seed=1, steps=700),
    "mednext_w10_b1.safetensors": _mednext(10, 1, seed=2, steps=910),
}
_MBAS_MEMBERS = {
    "heart.safetensors": _unet((12, 24, 48, 64), outputs=2, first_kernel=3, steps=700),
    "atria.safetensors": _unet((16, 32, 64, 96, 96), outputs=4, first_kernel=1, steps=1200),
}
_LINEAR = {"image": 1, "output": 1, "separate_z": "never"}


def _untrained(file: str) -> dict[str, str]:
    return {"file": file, "sha256": _UNTRAINED}


BRATS = Starter(
    Submission.model_validate(
        {
            "name": "brats-starter",
            "challenge": "brats2023-gli",
            "serves": [
                "brats2021-gli",
                *(f"brats2023-{task}" for task in ("ssa", "men", "met", "ped")),
                *(f"brats2024-{task}" for task in ("ssa", "goat")),
                *(f"brats2025-{task}" for task in ("ssa", "men", "goat")),
                "brats2026-goat",
            ],
            "starter": True,
            "licence": "Apache-2.0",
            "stages": [
                {
                    "name": "tumour",
                    "regions": ["TC", "WT", "ET"],
                    "branches": [
                        {
                            "channels": ["t2f", "t1n", "t1c", "t2w"],
                            "orientation": "RAS",
                            "spacing": [2.0, 2.0, 2.0],
                            "resampling": _LINEAR,
                            "outputs": {"kind": "regions", "names": ["TC", "WT", "ET"]},
                            "window": {"size": [80, 96, 80], "overlap": 0.5},
                            "flips": ["x"],
                            "members": [_untrained(file) for file in _BRATS_MEMBERS],
                        }
                    ],
                }
            ],
            "postprocess": [{"rule": "nest", "order": ["ET", "TC", "WT"]}],
        }
    ),
    _BRATS_MEMBERS,
    cases=72,
    unions={},
    near_mm=0,
)

MBAS = Starter(
    Submission.model_validate(
        {
            "name": "mbas-starter",
            "challenge": "mbas2024",
            "starter": True,
            "licence": "Apache-2.0",
            "stages": [
                {
                    "name": "heart",
                    "branches": [
                        {
                            "channels": ["lge"],
                            "crop": "none",
                            "normalize": {"scheme": "zscore", "mask": "none"},
                            "spacing": [3.0, 3.0, 5.0],
                            "resampling": _LINEAR,
                            "outputs": {"kind": "labels", "names": ["background", "heart"]},
                            "window": {"size": [96, 96, 24], "overlap": 0.5},
                            "members": [_untrained("heart.safetensors")],
                        }
                    ],
                },
                {
                    "name": "atria",
                    "follows": {
                        "stage": "heart",
                        "as": "gate",
                        "dilate": {"radius": 6, "unit": "mm"},
                    },
                    "branches": [
                        {
                            "channels": ["lge"],
                            "crop": "none",
                            "normalize": {"scheme": "zscore", "mask": "none"},
                            "spacing": [1.25, 1.25, 2.5],
                            "resampling": _LINEAR,
                            "outputs": {"kind": "labels", "names": ["background", "wall", "RA", "LA"]},
                            "window": {"size": [96, 96, 24], "overlap": 0.5},
                            "members": [_untrained("atria.safetensors")],
                        }
                    ],
                },
            ],
            "postprocess": [{"rule": "largest_component", "labels": ["RA", "LA"]}],
        }
    ),
    _MBAS_MEMBERS,
    cases=56,
    unions={"heart": ("wall", "RA", "LA")},
    near_mm=50,
)

STARTERS: Mapping[str, Starter] = {starter.submission.name: starter for starter in (BRATS, MBAS)}
