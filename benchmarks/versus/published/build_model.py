"""Write an nnU-Net v2 model folder of random weights by nnU-Net's classes.

Runs in the environment of published code, with tests/oracle/reference on the path:
`build_model.py PLAN.json FOLDER FOLDS`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from nnunet import make_network

CONFIGURATION = "3d_fullres"
INTENSITIES = {"mean": 120.0, "std": 35.0, "percentile_00_5": 60.0, "percentile_99_5": 190.0}
"""Used by CT normalisation only."""


def build(plan: dict[str, Any], folder: Path, folds: int) -> None:
    """Write plans.json, dataset.json and a checkpoint for each fold."""
    plans, dataset = plans_of(plan), dataset_of(plan)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))
    for fold in range(folds):
        torch.manual_seed(fold)
        network = make_network(json.loads(json.dumps(plans)), dataset, CONFIGURATION, 0.0)
        saved = {
            "network_weights": network.state_dict(),
            "current_epoch": 1,
            "init_args": {
                "plans": plans,
                "configuration": CONFIGURATION,
                "fold": fold,
                "dataset_json": dataset,
                "device": torch.device("cuda", 0),
            },
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": (0, 1, 2),
        }
        (folder / f"fold_{fold}").mkdir()
        torch.save(saved, folder / f"fold_{fold}" / "checkpoint_final.pth")


def dataset_of(plan: dict[str, Any]) -> dict[str, Any]:
    """dataset.json."""
    return {
        "channel_names": {str(number): name for number, name in enumerate(plan["channels"])},
        "labels": {name: value for value, name in enumerate(plan["labels"])},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }


def plans_of(plan: dict[str, Any]) -> dict[str, Any]:
    """plans.json with one configuration, as nnU-Net's planner writes it."""
    channels = len(plan["channels"])
    resampling = {
        "data": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "seg": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
        "probabilities": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
    }
    configuration = {
        "data_identifier": f"nnUNetPlans_{CONFIGURATION}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": plan["patch"],
        "spacing": plan["spacing"],
        "normalization_schemes": ["ZScoreNormalization"] * channels,
        "use_mask_for_norm": [plan["masked"]] * channels,
        **{f"resampling_fn_{part}": "resample_data_or_seg_to_shape" for part in resampling},
        **{f"resampling_fn_{part}_kwargs": way for part, way in resampling.items()},
        "architecture": architecture_of(plan),
    }
    return {
        "dataset_name": "Dataset001_Bench",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {CONFIGURATION: configuration},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(number): INTENSITIES for number in range(channels)
        },
    }


def architecture_of(plan: dict[str, Any]) -> dict[str, Any]:
    """The network as plans name it."""
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
        "arch_kwargs": {
            "n_stages": len(plan["features"]),
            "features_per_stage": plan["features"],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": plan["kernels"],
            "strides": plan["strides"],
            "n_blocks_per_stage": plan["blocks"],
            "n_conv_per_stage_decoder": [1] * (len(plan["features"]) - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


if __name__ == "__main__":
    build(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), int(sys.argv[3]))
