"""Instance norms as OpenVINO does them fast, and exactly."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, prod

import numpy as np
import openvino as ov
from openvino import opset13

SPACE = (2, 3, 4)
"""Axes of (N, C, X, Y, Z) that an instance norm goes over."""
MOST_VOXELS = 2**18
"""Of a channel, up to which OpenVINO's norm sums well enough: 1e-5 deviations off."""
POOL = 8
"""Edge of the cubes that are averaged first."""


def norm_channel_by_channel(model: ov.Model) -> None:
    """Say group norms of one channel a group as instance norms.

    OpenVINO turns the groups' way round in memory and back, which takes as long as a MedNeXt's convolutions.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "GroupNormalization":
            continue
        data, scale, bias = (node.input_value(index) for index in range(3))
        channels, about = data.get_partial_shape()[1].get_length(), node.get_attributes()
        if about["num_groups"] != channels:
            continue
        spatial = list(range(2, len(data.get_shape())))
        sizes = [1, channels, *[1] * len(spatial)]
        normed = opset13.mvn(data, spatial, True, about["epsilon"], "inside_sqrt")
        scaled = opset13.multiply(normed, opset13.reshape(scale, sizes, False))
        shifted = opset13.add(scaled, opset13.reshape(bias, sizes, False))
        node.output(0).replace(shifted.output(0))


def norm_exactly(model: ov.Model) -> None:
    """Say instance norms of large windows by averages of averages.

    OpenVINO's own adds a channel's voxels up one after the other in fp32: of 128^3 voxels the deviation comes
    out 2e-4 off, by averages of cubes 3e-6. That takes twice as long, so small windows keep their own.
    """
    for node in model.get_ordered_ops():
        if _is_large(node):
            data = node.input_value(0)
            mean = _average(data)
            variance = _average(opset13.squared_difference(data, mean).output(0))
            deviation = opset13.sqrt(opset13.add(variance, np.float32(node.get_attributes()["eps"])))
            normed = opset13.multiply(opset13.subtract(data, mean), opset13.divide(np.float32(1), deviation))
            node.output(0).replace(normed.output(0))


def is_instance_norm(node: ov.Node) -> bool:
    """Whether a node takes each channel of (N, C, X, Y, Z) to mean 0 and deviation 1."""
    if node.get_type_name() != "MVN" or len(node.get_output_shape(0)) != len(SPACE) + 2:
        return False
    axes, how = node.input_value(1).get_node(), node.get_attributes()
    return (
        axes.get_type_name() == "Constant"
        and tuple(sorted(axes.data.tolist())) == SPACE
        and how["normalize_variance"]
        and how["eps_mode"].lower() == "inside_sqrt"
    )


def _is_large(node: ov.Node) -> bool:
    return is_instance_norm(node) and prod(_sizes(node.input_value(0))) > MOST_VOXELS


def _sizes(data: ov.Output) -> Sequence[int]:
    return list(data.get_shape())[2:]


def _average(data: ov.Output) -> ov.Node:
    """The mean of each channel, (1, C, 1, 1, 1): that of cubes, which zeros fill beyond the border."""
    cube, none = [POOL] * len(SPACE), [0] * len(SPACE)
    filled = [-size % POOL for size in _sizes(data)]
    pooled = opset13.avg_pool(data, cube, none, filled, cube, False, "floor", "explicit")
    counted = prod(ceil(size / POOL) * POOL / size for size in _sizes(data))
    return opset13.multiply(opset13.reduce_mean(pooled, np.array(SPACE), True), np.float32(counted))
