"""Small nnU-Net v2 model folders, as its trainer leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segcube.importers import ImportOptions, read_target
from segcube.networks import build_network

ATRIA = {"background": 0, "wall": 1, "RA": 2, "LA": 3}
TUMOUR = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": 3}
WAYS = {"order": 3, "order_z": 0, "force_separate_z": None}
CONFIGURATION = {
    "patch_size": [8, 16, 16],
    "spacing": [2.5, 0.9, 0.8],
    "normalization_schemes": ["ZScoreNormalization"],
    "use_mask_for_norm": [False],
    "preprocessor_name": "DefaultPreprocessor",
    "resampling_fn_data": "resample_data_or_seg_to_shape",
    "resampling_fn_data_kwargs": {"is_seg": False, **WAYS},
    "resampling_fn_seg": "resample_data_or_seg_to_shape",
    "resampling_fn_seg_kwargs": {"is_seg": True, **WAYS, "order": 1},
    "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
    "resampling_fn_probabilities_kwargs": {"is_seg": False, **WAYS, "order": 1},
    "architecture": {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": 2,
            "features_per_stage": [2, 4],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[1, 3, 3], [3, 3, 3]],
            "strides": [[1, 1, 1], [1, 2, 2]],
            "n_conv_per_stage": [1, 1],
            "n_conv_per_stage_decoder": [1],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    },
}


def plans(name: str = "3d_fullres", **changes: Any) -> dict[str, Any]:
    """plans.json; changes: of the configuration, or of the plans where they have that key."""
    content = {
        "dataset_name": "Dataset001_Made",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 10.0, "std": 2.0, "percentile_00_5": 3.0, "percentile_99_5": 20.0}
        },
    }
    own = {key: value for key, value in changes.items() if key not in content}
    content |= {key: value for key, value in changes.items() if key in content}
    return content | {"configurations": {name: deepcopy(CONFIGURATION) | own}}


def dataset(
    labels: dict[str, Any] | None = None, order: list[int] | None = None, channels=("MRI",)
) -> dict[str, Any]:
    """dataset.json."""
    names = {str(index): name for index, name in enumerate(channels)}
    content = {"channel_names": names, "labels": labels or ATRIA, "file_ending": ".nii.gz"}
    return content | ({"regions_class_order": order} if order else {})


def checkpoint(
    channels: int = 1, outputs: int = 4, name: str = "3d_fullres", **changes: Any
) -> dict[str, Any]:
    """What nnU-Net's trainer saves, with random weights."""
    arguments = CONFIGURATION["architecture"]["arch_kwargs"]
    torch.manual_seed(0)
    network = build_network(
        "PlainConvUNet", {**arguments, "input_channels": channels, "num_classes": outputs}
    )
    init = {"plans": {}, "configuration": name, "fold": 0, "dataset_json": {}, "device": torch.device("cuda")}
    return {
        "network_weights": network.state_dict(),
        "optimizer_state": None,
        "grad_scaler_state": {"scale": 65536.0},
        "logging": {"mean_fg_dice": [np.float32(0.5)]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 1000,
        "init_args": init,
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 2),
    } | changes


@pytest.fixture
def made():
    """Plans, dataset and checkpoint of a small model."""

    class Made:
        plans = staticmethod(plans)
        dataset = staticmethod(dataset)
        checkpoint = staticmethod(checkpoint)
        tumour = TUMOUR

    return Made


@pytest.fixture
def folder(tmp_path) -> Callable[..., Path]:
    """Write a model folder: plans, dataset, a checkpoint for each of the folds, and what else is called."""

    def write(
        own_plans=None, own_dataset=None, saved=None, folds=("0",), name="model", file="checkpoint_final.pth"
    ) -> Path:
        place = tmp_path / name
        place.mkdir()
        (place / "plans.json").write_text(json.dumps(own_plans or plans()))
        (place / "dataset.json").write_text(json.dumps(own_dataset or dataset()))
        for fold in folds:
            (place / f"fold_{fold}").mkdir()
            torch.save(saved or checkpoint(), place / f"fold_{fold}" / file)
        return place

    return write


@pytest.fixture
def options() -> Callable[..., ImportOptions]:
    """ImportOptions for a challenge, MBAS unless it is named."""
    return lambda challenge="mbas2024", **more: ImportOptions(read_target(challenge), "mine", **more)
