"""Rewrites of graphs for OpenVINO's own kernels, which run where the native ones do not.

Those are processors without AVX2, installations without a compiler, half precision, and graphs in which a
convolution has no native kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import ceil, prod

import numpy as np
import openvino as ov
from openvino import op, opset13

from segcube.backends.openvino.nodes import (
    CONVOLUTION,
    GROUPED_TRANSPOSED,
    SPACE,
    concatenates_channels,
    is_instance_norm,
    readers,
)

MAX_VOXELS = 2**18
"""Of a channel, up to which the error of OpenVINO's norm stays within 1e-5 deviations."""
POOL = 8
"""Edge of the cubes that are averaged first."""
FIRST_AXIS = 3
"""The first axis of voxels in a depthwise kernel (groups, outputs, inputs, x, y, z)."""


def replace_group_norms(model: ov.Model) -> None:
    """Replace group norms of one channel per group by instance norms.

    OpenVINO reorders the groups in memory and back, which takes as long as a MedNeXt's convolutions.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != "GroupNormalization":
            continue
        data, scale, bias = (node.input_value(index) for index in range(3))
        channels, attributes = data.get_partial_shape()[1].get_length(), node.get_attributes()
        if attributes["num_groups"] != channels:
            continue
        spatial = list(range(2, len(data.get_shape())))
        sizes = [1, channels, *[1] * len(spatial)]
        normed = opset13.mvn(data, spatial, True, attributes["epsilon"], "inside_sqrt")
        scaled = opset13.multiply(normed, opset13.reshape(scale, sizes, False))
        shifted = opset13.add(scaled, opset13.reshape(bias, sizes, False))
        node.output(0).replace(shifted.output(0))


def use_exact_norms(model: ov.Model) -> None:
    """Compute the instance norms of large windows from averages of averages.

    OpenVINO sums a channel's voxels one by one in fp32: for 128^3 voxels the deviation is off by 2e-4, from
    averages of cubes by 3e-6. That takes twice as long, so small windows keep OpenVINO's norm.
    """
    for node in model.get_ordered_ops():
        if is_instance_norm(node) and prod(_voxels(node.input_value(0))) > MAX_VOXELS:
            data = node.input_value(0)
            mean = _average(data)
            variance = _average(opset13.squared_difference(data, mean).output(0))
            deviation = opset13.sqrt(opset13.add(variance, np.float32(node.get_attributes()["eps"])))
            normed = opset13.multiply(opset13.subtract(data, mean), opset13.divide(np.float32(1), deviation))
            node.output(0).replace(normed.output(0))


def _voxels(data: ov.Output) -> Sequence[int]:
    return list(data.get_shape())[2:]


def _average(data: ov.Output) -> ov.Node:
    """The mean of each channel, (1, C, 1, 1, 1), from those of cubes with zeros beyond the border."""
    cube, none = [POOL] * len(SPACE), [0] * len(SPACE)
    padding = [-size % POOL for size in _voxels(data)]
    pooled = opset13.avg_pool(data, cube, none, padding, cube, False, "floor", "explicit")
    correction = prod(ceil(size / POOL) * POOL / size for size in _voxels(data))
    return opset13.multiply(opset13.reduce_mean(pooled, np.array(SPACE), True), np.float32(correction))


def split_concatenations(model: ov.Model) -> None:
    """Replace each convolution of concatenated tensors by a sum of convolutions, one per tensor.

    The order of the sum changes, but no copy of all channels exists where a U-Net needs the most memory.
    """
    for concat in model.get_ordered_ops():
        if concatenates_channels(concat) and all(map(_has_constant_kernel, readers(concat))):
            for reader in readers(concat):
                _split(reader, concat)


def _has_constant_kernel(node: ov.Node) -> bool:
    if node.get_type_name() != CONVOLUTION:
        return False
    return node.input_value(1).get_node().get_type_name() == "Constant"


def _split(convolution: ov.Node, concat: ov.Node) -> None:
    kernel_kcxyz = convolution.input_value(1).get_node().data
    attributes = convolution.get_attributes()
    pads = attributes["pads_begin"], attributes["pads_end"]
    settings = attributes["strides"], *pads, attributes["dilations"], attributes["auto_pad"]
    parts, first = [], 0
    for part in concat.input_values():
        end = first + part.get_shape()[1]
        kernel = op.Constant(np.ascontiguousarray(kernel_kcxyz[:, first:end]))
        parts.append(opset13.convolution(part, kernel, *settings))
        first = end
    convolution.output(0).replace(reduce(opset13.add, parts).output(0))


@dataclass(frozen=True)
class Phase:
    """Outputs at i * stride + phase along an axis: their kernel elements, and zeros around the input."""

    elements: list[int]
    before: int
    after: int


def replace_transposed_depthwise(model: ov.Model) -> None:
    """Replace depthwise transposed convolutions by a plain convolution for each phase of the strides.

    OpenVINO has no kernel for them: it unfolds the input into a matrix, which took two thirds of a MedNeXt's
    time and most of its working memory. An output at i * stride + phase depends on input i + d by kernel
    element k = phase + pad - d * stride, so that each phase is a small convolution; together they need as
    many products as the transposed one.
    """
    for node in model.get_ordered_ops():
        if _consists_of_phases(node):
            _replace_by_phases(node)


def phases(kernel: int, stride: int, pad: int) -> list[Phase]:
    """The phases of an axis, `stride` of them."""
    found = []
    for phase in range(stride):
        elements = [k for k in reversed(range(kernel)) if (phase + pad - k) % stride == 0]
        inputs = [(phase + pad - k) // stride for k in elements]
        found.append(Phase(elements, -inputs[0], inputs[-1]))
    return found


def _consists_of_phases(node: ov.Node) -> bool:
    """Whether each channel has one kernel, and the phases yield the whole output."""
    if node.get_type_name() != GROUPED_TRANSPOSED or node.get_input_size() != 2:
        return False
    attributes, (_, ins, outs, *kernel) = node.get_attributes(), node.input_value(1).get_shape()
    if (ins, outs) != (1, 1) or any(dilation != 1 for dilation in attributes["dilations"]):
        return False
    sizes, out_sizes = _voxels(node.input_value(0)), _voxels(node.output(0))
    return all(
        pad <= length - stride and out <= size * stride
        for length, stride, pad, size, out in zip(
            kernel, attributes["strides"], attributes["pads_begin"], sizes, out_sizes, strict=True
        )
    )


def _replace_by_phases(node: ov.Node) -> None:
    data, kernel = node.input_value(0), node.input_value(1)
    attributes = node.get_attributes()
    strides = list(attributes["strides"])
    sizes = zip(list(kernel.get_shape())[FIRST_AXIS:], strides, attributes["pads_begin"], strict=True)
    combinations = product(*(phases(*size) for size in sizes))
    parts = [_convolve_phase(data, kernel, combined) for combined in combinations]
    out_size = _voxels(node.output(0))
    # Outputs beyond the last input are cropped, as the transposed convolution does
    zeros, ones = np.zeros(len(out_size), np.int64), np.ones(len(out_size), np.int64)
    axes = np.arange(2, 2 + len(out_size))
    cropped = opset13.slice(_interleave(parts, strides), zeros, np.array(out_size, np.int64), ones, axes)
    node.output(0).replace(cropped.output(0))


def _convolve_phase(data: ov.Output, kernel: ov.Output, combined: tuple[Phase, ...]) -> ov.Node:
    for axis, phase in enumerate(combined, FIRST_AXIS):
        kernel = opset13.gather(kernel, np.array(phase.elements, np.int64), np.int64(axis)).output(0)
    ones = [1] * len(combined)
    before, after = [phase.before for phase in combined], [phase.after for phase in combined]
    return opset13.group_convolution(data, kernel, ones, before, after, ones)


def _interleave(parts: list[ov.Node], strides: list[int]) -> ov.Node:
    """One tensor (1, C, X * stride, ...) from tensors (1, C, X, Y, Z), one per phase, last axis fastest."""
    joined = opset13.concat(parts, 1)
    if len(set(strides)) == 1:
        return opset13.depth_to_space(joined, "blocks_first", strides[0])
    channels, *sizes = list(parts[0].get_output_shape(0))[1:]
    count = len(strides)
    separate = opset13.reshape(joined, [*strides, channels, *sizes], False)
    order = [count, *(place for axis in range(count) for place in (count + 1 + axis, axis))]
    spread = [size * stride for size, stride in zip(sizes, strides, strict=True)]
    return opset13.reshape(opset13.transpose(separate, order), [1, channels, *spread], False)
