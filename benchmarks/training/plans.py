"""plans.json of an nnU-Net with a PlainConvUNet, from that which the comparisons with nnU-Net use."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, TypeAlias

from versus.inputs import REFERENCE

sys.path.append(str(REFERENCE))
import nnunet_plans

CONFIGURATION = "3d_fullres"
Triple: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True)
class NetworkPlan:
    """Patch in voxels, their edges in mm, and the stages of the network; axes z, y, x."""

    patch: Triple
    spacing: tuple[float, float, float]
    features: tuple[int, ...]
    strides: tuple[Triple, ...]
    kernels: tuple[Triple, ...]
    masked: bool = False
    """Whether voxels of 0 are left out of the normalization."""


def plans_of(plan: NetworkPlan, dataset: str, channels: int) -> dict[str, Any]:
    """Return the content of plans.json, with one configuration, 3d_fullres."""
    spec = {
        "scan": {"channels": channels},
        "plan": {
            "normalization": "ZScoreNormalization",
            "mask": plan.masked,
            "patch": plan.patch,
            "spacing": plan.spacing,
        },
        "resampling": "splines",
        "network": "PlainConvUNet",
        "strides": plan.strides,
        "transpose": [0, 1, 2],
        "reader": "SimpleITKIO",
    }
    content = nnunet_plans.plans_of(spec, CONFIGURATION)
    configuration, stages = content["configurations"]["parent"], len(plan.features)
    configuration |= {"median_image_size_in_voxels": list(map(float, plan.patch)), "batch_dice": False}
    configuration["architecture"]["arch_kwargs"] |= {
        "n_stages": stages,
        "features_per_stage": plan.features,
        "kernel_sizes": plan.kernels,
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
    }
    return content | {"dataset_name": dataset, "configurations": {CONFIGURATION: configuration}}
