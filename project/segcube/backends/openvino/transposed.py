"""Depthwise transposed convolutions as plain ones.

OpenVINO has no kernel of its own for them: it unfolds the input into a matrix, which took two thirds of a
MedNeXt's time and most of its working memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import openvino as ov
from openvino import opset13

FIRST_AXIS = 3
"""Of the kernel's space: (groups, outputs, inputs, x, y, z)."""


@dataclass(frozen=True)
class Phase:
    """Outputs at i * stride + phase along an axis: their taps of the kernel, and zeros around the input."""

    taps: list[int]
    before: int
    after: int


def say_transposed_as_plain(model: ov.Model) -> None:
    """Put a plain convolution for each phase of the strides in the place of every depthwise transposed one.

    An output at i * stride + phase sees input i + d by the tap k = phase + pad - d * stride, so that each
    phase is a small convolution of its own; together they multiply as often as the transposed one.
    """
    for node in model.get_ordered_ops():
        if _is_depthwise(node):
            _replace(node)


def phases(kernel: int, stride: int, pad: int) -> list[Phase]:
    """The phases of an axis, `stride` of them."""
    found = []
    for phase in range(stride):
        taps = [k for k in reversed(range(kernel)) if (phase + pad - k) % stride == 0]
        inputs = [(phase + pad - k) // stride for k in taps]
        found.append(Phase(taps, -inputs[0], inputs[-1]))
    return found


def _is_depthwise(node: ov.Node) -> bool:
    """Whether each channel has a kernel of its own, and the phases cover all that is asked for."""
    if node.get_type_name() != "GroupConvolutionBackpropData" or node.get_input_size() != 2:
        return False
    how, (_, ins, outs, *kernel) = node.get_attributes(), node.input_value(1).get_shape()
    if (ins, outs) != (1, 1) or any(dilation != 1 for dilation in how["dilations"]):
        return False
    sizes, asked = list(node.input_value(0).get_shape())[2:], list(node.get_output_shape(0))[2:]
    return all(
        pad <= length - stride and out <= size * stride
        for length, stride, pad, size, out in zip(
            kernel, how["strides"], how["pads_begin"], sizes, asked, strict=True
        )
    )


def _replace(node: ov.Node) -> None:
    data, kernel = node.input_value(0), node.input_value(1)
    how = node.get_attributes()
    strides = list(how["strides"])
    sizes = zip(list(kernel.get_shape())[FIRST_AXIS:], strides, how["pads_begin"], strict=True)
    parts = [_of_phase(data, kernel, combined) for combined in product(*(phases(*size) for size in sizes))]
    asked = list(node.get_output_shape(0))[2:]
    # What lies beyond the last input is cut off, as the transposed convolution does
    zeros, ones = np.zeros(len(asked), np.int64), np.ones(len(asked), np.int64)
    axes = np.arange(2, 2 + len(asked))
    cut = opset13.slice(_interleave(parts, strides), zeros, np.array(asked, np.int64), ones, axes)
    node.output(0).replace(cut.output(0))


def _of_phase(data: ov.Output, kernel: ov.Output, combined: tuple[Phase, ...]) -> ov.Node:
    chosen = kernel
    for axis, phase in enumerate(combined, FIRST_AXIS):
        chosen = opset13.gather(chosen, np.array(phase.taps, np.int64), np.int64(axis))
    ones = [1] * len(combined)
    before, after = [phase.before for phase in combined], [phase.after for phase in combined]
    return opset13.group_convolution(data, chosen, ones, before, after, ones)


def _interleave(parts: list[ov.Node], strides: list[int]) -> ov.Node:
    """Tensors (1, C, X, Y, Z), one a phase, the last axis running fastest, as (1, C, X * stride, ...)."""
    joined = opset13.concat(parts, 1)
    if len(set(strides)) == 1:
        return opset13.depth_to_space(joined, "blocks_first", strides[0])
    channels, *sizes = list(parts[0].get_output_shape(0))[1:]
    count = len(strides)
    apart = opset13.reshape(joined, [*strides, channels, *sizes], False)
    order = [count, *(place for axis in range(count) for place in (count + 1 + axis, axis))]
    spread = [size * stride for size, stride in zip(sizes, strides, strict=True)]
    return opset13.reshape(opset13.transpose(apart, order), [1, channels, *spread], False)
