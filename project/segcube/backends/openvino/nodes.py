"""Nodes of OpenVINO's graphs: what they compute, and which constants they hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import openvino as ov

from segcube.backends.native.kernels import ConvWeights

CONVOLUTION, TRANSPOSED = "Convolution", "ConvolutionBackpropData"
GROUPED, GROUPED_TRANSPOSED = "GroupConvolution", "GroupConvolutionBackpropData"
CONVOLUTIONS = (CONVOLUTION, TRANSPOSED, GROUPED, GROUPED_TRANSPOSED)
IMAGE = 0
"""The index of a convolution's input that is its image."""
CHANNELS = 1
"""The axis of channels in (N, C, X, Y, Z)."""
SPACE = (2, 3, 4)
"""The axes of voxels in (N, C, X, Y, Z)."""
VOXELS = slice(2, None)
"""The sizes of these axes in a shape."""
T = TypeVar("T")


def has_native_kernel(node: ov.Node) -> bool:
    """Whether a convolution is plain, depthwise, or transposed to blocks that do not overlap."""
    kernel, attributes = constant(node.input_value(1)), node.get_attributes()
    if kernel is None or kernel.dtype != np.float32 or node.get_input_size() != 2:
        return False
    if set(attributes["dilations"]) != {1} or attributes["auto_pad"] != "explicit":
        return False
    if node.get_type_name() in (GROUPED, GROUPED_TRANSPOSED):
        return kernel.ndim == len(SPACE) + 3 and kernel.shape[1:3] == (1, 1)
    if kernel.ndim != len(SPACE) + 2:
        return False
    pads = attributes["pads_begin"], attributes["pads_end"]
    return node.get_type_name() == CONVOLUTION or (
        list(attributes["strides"]) == list(kernel.shape[2:])
        and not any([*pads[0], *pads[1], *attributes["output_padding"]])
    )


def convolves(port: ov.Input) -> bool:
    """Whether a port is a convolution's input image."""
    return port.get_node().get_type_name() in CONVOLUTIONS and port.get_index() == IMAGE


def is_block_mean(node: ov.Node) -> bool:
    """Whether a node averages adjacent blocks of voxels, all of them whole."""
    if node.get_type_name() != "AvgPool" or len(node.get_output_shape(0)) != len(SPACE) + 2:
        return False
    attributes = node.get_attributes()
    block, size = list(attributes["kernel"]), node.get_input_shape(0)[2:]
    blocks = [length // edge for length, edge in zip(size, block, strict=True)]
    return (
        list(attributes["strides"]) == block
        and not any([*attributes["pads_begin"], *attributes["pads_end"]])
        and list(node.get_output_shape(0)[2:]) == blocks
    )


def is_instance_norm(node: ov.Node) -> bool:
    """Whether a node normalises each channel of (N, C, X, Y, Z) to mean 0 and deviation 1."""
    if node.get_type_name() != "MVN" or len(node.get_output_shape(0)) != len(SPACE) + 2:
        return False
    axes, attributes = node.input_value(1).get_node(), node.get_attributes()
    return (
        axes.get_type_name() == "Constant"
        and tuple(sorted(axes.data.tolist())) == SPACE
        and attributes["normalize_variance"]
        and attributes["eps_mode"].lower() == "inside_sqrt"
    )


def concatenates_channels(node: ov.Node) -> bool:
    """Whether a node concatenates images along their channels."""
    return node.get_type_name() == "Concat" and node.get_attributes()["axis"] == CHANNELS


def concatenated(image: ov.Output) -> Sequence[ov.Output]:
    """The images whose concatenation an image is, or the image alone."""
    node = image.get_node()
    return node.input_values() if concatenates_channels(node) else [image]


def conv_weights_of(node: ov.Node, bias: np.ndarray | None) -> ConvWeights:
    """The weights of a convolution whose kernel is constant."""
    kernel, attributes = constant(node.input_value(1)), node.get_attributes()
    assert kernel is not None, "has_native_kernel was checked"
    if node.get_type_name() in (GROUPED, GROUPED_TRANSPOSED):
        kernel = kernel[:, 0]
    return ConvWeights(kernel, bias, tuple(attributes["strides"]), tuple(attributes["pads_begin"]))


def per_channel(node: ov.Node, kind: str, default: T) -> tuple[np.ndarray | T, ov.Node]:
    """The constants by channel that a node's only reader, of that kind, adds or multiplies; and the reader.

    The default and the node itself where it has no such reader.
    """
    reader = only_reader(node)
    if reader is None or reader.get_type_name() != kind:
        return default, node
    other, channels = other_input(reader, node), node.get_output_shape(0)[CHANNELS]
    values = constant(other)
    if values is None or list(other.get_shape()) != [1, channels, 1, 1, 1]:
        return default, node
    return np.ascontiguousarray(values.reshape(channels), np.float32), reader


def other_input(reader: ov.Node, node: ov.Node) -> ov.Output:
    """The one of two inputs that does not come from the node."""
    first, second = reader.input_values()
    return second if first.get_node() == node else first


def readers(node: ov.Node) -> list[ov.Node]:
    """The nodes that read a node's first output."""
    return [port.get_node() for port in node.output(0).get_target_inputs()]


def only_reader(node: ov.Node) -> ov.Node | None:
    """The node that alone reads a node's output; None if there are several or none."""
    found = readers(node)
    return found[0] if len(found) == 1 else None


def constant(value: ov.Output) -> np.ndarray | None:
    """The value of a constant, reshaped or not; None for what the graph computes."""
    node = value.get_node()
    if node.get_type_name() == "Reshape":
        values = constant(node.input_value(0))
        return None if values is None else values.reshape(list(value.get_shape()))
    return node.data if node.get_type_name() == "Constant" else None
