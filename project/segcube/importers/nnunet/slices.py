"""nnU-Net's 2d configurations as networks in three dimensions, whose windows are one slice thick.

A convolution of 3 x 3 over a slice is one of 1 x 3 x 3 over a volume: networks and results are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

OPERATORS = ("conv_op", "norm_op", "dropout_op", "pool_op")
SIZES = ("kernel_sizes", "strides")


def is_of_slices(configuration: Mapping[str, Any]) -> bool:
    """Return whether a configuration of plans.json predicts slice by slice."""
    patch = configuration.get("patch_size")
    return isinstance(patch, list | tuple) and len(patch) == 2


def to_three_dimensions(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a 2d configuration with a first axis along which nothing is resampled, pooled or convolved.

    spacing along it is null: that of the case.
    """
    architecture = configuration["architecture"]
    arguments = dict(architecture["arch_kwargs"])
    for name in SIZES:
        if name in arguments:
            arguments[name] = [[1, *_pair(size)] for size in arguments[name]]
    if "stem_kernel_size" in arguments:
        arguments["stem_kernel_size"] = [1, *_pair(arguments["stem_kernel_size"])]
    for name in OPERATORS:
        if isinstance(arguments.get(name), str):
            arguments[name] = arguments[name].replace("2d", "3d")
    converted = dict(configuration)
    converted["architecture"] = {**architecture, "arch_kwargs": arguments}
    converted["patch_size"] = [1, *configuration["patch_size"]]
    converted["spacing"] = [None, *configuration["spacing"]]
    if configuration.get("median_image_size_in_voxels"):
        converted["median_image_size_in_voxels"] = [1, *configuration["median_image_size_in_voxels"][-2:]]
    return converted


def weights_in_three_dimensions(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights whose kernels over slices (O, I, Y, X) have become (O, I, 1, Y, X); others stay."""
    return {name: tensor.unsqueeze(2) if tensor.ndim == 4 else tensor for name, tensor in state.items()}


def _pair(size: Any) -> list[int]:
    return list(size) if isinstance(size, list | tuple) else [size, size]
