"""plans.json of an nnU-Net with a PlainConvUNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

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


def plans_of(plan: NetworkPlan, dataset: str, channels: int) -> dict[str, object]:
    """Return the content of plans.json, with one configuration, 3d_fullres."""
    stages = len(plan.features)
    architecture = {
        "n_stages": stages,
        "features_per_stage": plan.features,
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": plan.kernels,
        "strides": plan.strides,
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": plan.patch,
        "median_image_size_in_voxels": [float(edge) for edge in plan.patch],
        "spacing": plan.spacing,
        "normalization_schemes": ["ZScoreNormalization"] * channels,
        "use_mask_for_norm": [plan.masked] * channels,
        **resampling(),
        "batch_dice": False,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": architecture,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    numbers = {"mean": 0.0, "std": 1.0, "percentile_00_5": 0.0, "percentile_99_5": 0.0}
    return {
        "dataset_name": dataset,
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {str(number): numbers for number in range(channels)},
    }


def resampling() -> Mapping[str, object]:
    """nnU-Net's default resampling: cubic splines of images, linear of labels and probabilities."""
    splines = {"order_z": 0, "force_separate_z": None}
    orders = {"data": (3, False), "seg": (1, True), "probabilities": (1, False)}
    functions = {f"resampling_fn_{part}": "resample_data_or_seg_to_shape" for part in orders}
    options = {
        f"resampling_fn_{part}_kwargs": splines | {"order": order, "is_seg": is_seg}
        for part, (order, is_seg) in orders.items()
    }
    return functions | options
