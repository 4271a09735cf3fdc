"""plans.json and dataset.json of small nnU-Nets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RESAMPLING = {
    "splines": ("resample_data_or_seg_to_shape", {"order": 3, "order_z": 0, "force_separate_z": None}),
    "torch": ("resample_torch_fornnunet", {"force_separate_z": False, "memefficient_seg_resampling": False}),
    "torch separate": ("resample_torch_fornnunet", {"memefficient_seg_resampling": False}),
    "none": ("no_resampling_hack", {}),
}


def dataset_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """dataset.json."""
    names = ["LGE"] if spec["scan"]["channels"] == 1 else ["T1", "T1ce", "T2", "FLAIR"]
    found = {"channel_names": {str(n): name for n, name in enumerate(names)}, "labels": spec["labels"]}
    order = {"regions_class_order": spec["order"]} if spec["order"] else {}
    return found | order | {"numTraining": 1, "file_ending": ".nii.gz"}


def plans_of(spec: Mapping[str, Any], name: str, previous: str | None = None) -> dict[str, Any]:
    """plans.json with one configuration."""
    plan, channels = spec["plan"], spec["scan"]["channels"]
    schemes = plan["normalization"]
    function, options = RESAMPLING[spec["resampling"]]
    ways = {
        "data": options | {"is_seg": False},
        "seg": options | {"is_seg": True} | ({"order": 1} if "order" in options else {}),
        "probabilities": options | {"is_seg": False} | ({"order": 1} if "order" in options else {}),
    }
    ways = {part: {} if spec["resampling"] == "none" else way for part, way in ways.items()}
    configuration = {
        "data_identifier": f"nnUNetPlans_{name}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": plan["patch"],
        "spacing": plan["spacing"],
        "normalization_schemes": schemes if isinstance(schemes, list) else [schemes] * channels,
        "use_mask_for_norm": [plan["mask"]] * channels,
        **{f"resampling_fn_{part}": function for part in ways},
        **{f"resampling_fn_{part}_kwargs": way for part, way in ways.items()},
        **(older_network_of(spec) if spec.get("older") else {"architecture": network_of(spec)}),
        **({"previous_stage": previous} if previous else {}),
        **({"is_cascaded_mask": True, "cascaded_mask_dilation": spec["mbas"]} if spec.get("mbas") else {}),
    }
    numbers = {"mean": 120.0, "std": 35.0, "percentile_00_5": 60.0, "percentile_99_5": 190.0}
    transpose = spec["transpose"]
    return {
        "dataset_name": "Dataset001_Oracle",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": spec["reader"],
        "transpose_forward": transpose,
        "transpose_backward": [transpose.index(axis) for axis in range(3)],
        "configurations": {"parent": configuration, name: {"inherits_from": "parent"}},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {str(n): numbers for n in range(channels)},
    }


def network_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The network as plans name it."""
    counts = "n_conv_per_stage" if spec["network"] == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{spec['network']}",
        "arch_kwargs": {
            "n_stages": 3,
            "features_per_stage": [4, 8, 8],
            "conv_op": f"torch.nn.modules.conv.Conv{len(spec['strides'][0])}d",
            "kernel_sizes": [[3] * len(spec["strides"][0])] * 3,
            "strides": spec["strides"],
            counts: [1, 1, 1],
            "n_conv_per_stage_decoder": [1, 1],
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{len(spec['strides'][0])}d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def older_network_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The network as plans before nnU-Net 2.4 named it."""
    return {
        "UNet_class_name": spec["network"],
        "UNet_base_num_features": 4,
        "unet_max_num_features": 8,
        "n_conv_per_stage_encoder": [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
        "num_pool_per_axis": [2, 2, 2],
        "pool_op_kernel_sizes": spec["strides"],
        "conv_kernel_sizes": [[3, 3, 3]] * 3,
    }
