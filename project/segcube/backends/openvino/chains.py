"""Instance norms of a graph, with what is computed right behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import openvino as ov

from segcube.backends.native.kernels import Affine, Taps
from segcube.backends.openvino.models import CHANNELS
from segcube.backends.openvino.norms import SPACE, is_instance_norm

CONVOLUTION, TRANSPOSED = "Convolution", "ConvolutionBackpropData"
GROUPED, GROUPED_TRANSPOSED = "GroupConvolution", "GroupConvolutionBackpropData"
CONVOLUTIONS = (CONVOLUTION, TRANSPOSED, GROUPED, GROUPED_TRANSPOSED)
IMAGE = 0
"""The input of a convolution that is no kernel."""


def is_ours(node: ov.Node) -> bool:
    """Whether a convolution can be: plain, depthwise, or transposed to blocks that do not overlap."""
    kernel, how = constant(node.input_value(1)), node.get_attributes()
    if kernel is None or kernel.dtype != np.float32 or node.get_input_size() != 2:
        return False
    if set(how["dilations"]) != {1} or how["auto_pad"] != "explicit":
        return False
    if node.get_type_name() in (GROUPED, GROUPED_TRANSPOSED):
        return kernel.ndim == len(SPACE) + 3 and kernel.shape[1:3] == (1, 1)
    if kernel.ndim != len(SPACE) + 2:
        return False
    return node.get_type_name() == CONVOLUTION or (
        list(how["strides"]) == list(kernel.shape[2:])
        and not any([*how["pads_begin"], *how["pads_end"], *how["output_padding"]])
    )


def convolves(port: ov.Input) -> bool:
    """Whether a convolution reads its image by a port."""
    return port.get_node().get_type_name() in CONVOLUTIONS and port.get_index() == IMAGE


def pools(node: ov.Node) -> bool:
    """Whether it takes means of blocks that lie side by side, none of them cut off by a border."""
    if node.get_type_name() != "AvgPool" or len(node.get_output_shape(0)) != len(SPACE) + 2:
        return False
    how = node.get_attributes()
    block, whole = list(how["kernel"]), node.get_input_shape(0)[2:]
    blocks = [length // edge for length, edge in zip(whole, block, strict=True)]
    return (
        list(how["strides"]) == block
        and not any([*how["pads_begin"], *how["pads_end"]])
        and list(node.get_output_shape(0)[2:]) == blocks
    )


def concatenates_channels(node: ov.Node) -> bool:
    """Whether it joins images channel by channel."""
    return node.get_type_name() == "Concat" and node.get_attributes()["axis"] == CHANNELS


def parts(image: ov.Output) -> Sequence[ov.Output]:
    """The images that make up another, or it alone."""
    made_by = image.get_node()
    return made_by.input_values() if concatenates_channels(made_by) else [image]


def taps_of(node: ov.Node, bias: np.ndarray | None) -> Taps:
    """A convolution's weights, which are constant."""
    kernel, how = constant(node.input_value(1)), node.get_attributes()
    assert kernel is not None, "asked before"
    if node.get_type_name() in (GROUPED, GROUPED_TRANSPOSED):
        kernel = kernel[:, 0]
    return Taps(kernel, bias, tuple(how["strides"]), tuple(how["pads_begin"]))


T = TypeVar("T")


@dataclass(frozen=True)
class Chain:
    """An instance norm, its affine map, and perhaps a sum and a rectifier."""

    norm: ov.Node
    affine: Affine
    """With the rectifier where nothing is added."""
    scaled: ov.Node
    """The last node of the affine map."""
    sum: ov.Node | None
    slope: float
    """Of the rectifier behind the sum; 1 for none."""
    last: ov.Node

    @property
    def residual(self) -> ov.Output | None:
        """What is added."""
        return None if self.sum is None else other_input(self.sum, self.scaled)


def find_chains(model: ov.Model) -> list[Chain]:
    """Every instance norm of a graph, in its order; a sum of two belongs to the first."""
    chains: list[Chain] = []
    for node in model.get_ordered_ops():
        if is_instance_norm(node):
            chains.append(_chain(node, [chain.sum for chain in chains]))
    return chains


def _chain(norm: ov.Node, taken: list[ov.Node | None]) -> Chain:
    channels = norm.get_output_shape(0)[CHANNELS]
    scale, last = per_channel(norm, "Multiply", np.ones(channels, np.float32))
    shift, scaled = per_channel(last, "Add", np.zeros(channels, np.float32))
    epsilon = float(norm.get_attributes()["eps"])
    added = only_reader(scaled)
    if added is not None and added.get_type_name() == "Add" and added not in taken:
        slope, last = _rectifier(added)
        other = other_input(added, scaled)
        if last is not added and other.get_shape() == scaled.get_output_shape(0):
            return Chain(norm, Affine(scale, shift, epsilon, 1.0), scaled, added, slope, last)
    slope, last = _rectifier(scaled)
    return Chain(norm, Affine(scale, shift, epsilon, slope), scaled, None, 1.0, last)


def _rectifier(node: ov.Node) -> tuple[float, ov.Node]:
    reader = only_reader(node)
    if reader is not None and reader.get_type_name() == "Relu":
        return 0.0, reader
    if reader is not None and reader.get_type_name() == "PRelu":
        slope = constant(reader.input_value(1))
        if slope is not None and slope.size == 1:
            return float(slope.item()), reader
    return 1.0, node


def per_channel(node: ov.Node, kind: str, none: T) -> tuple[np.ndarray | T, ov.Node]:
    """What a node's only reader multiplies or adds to each channel, and that reader; or none, and it."""
    reader = only_reader(node)
    if reader is None or reader.get_type_name() != kind:
        return none, node
    values = _of_channels(reader, node)
    return (none, node) if values is None else (values, reader)


def _of_channels(reader: ov.Node, node: ov.Node) -> np.ndarray | None:
    """The reader's other input, where that is a constant of one value a channel."""
    other, channels = other_input(reader, node), node.get_output_shape(0)[CHANNELS]
    values = constant(other)
    if values is None or list(other.get_shape()) != [1, channels, 1, 1, 1]:
        return None
    return np.ascontiguousarray(values.reshape(channels), np.float32)


def other_input(reader: ov.Node, node: ov.Node) -> ov.Output:
    """Of two, the one that is not the node's."""
    first, second = reader.input_values()
    return second if first.get_node() == node else first


def only_reader(node: ov.Node) -> ov.Node | None:
    """What reads a node, where that is one."""
    readers = [port.get_node() for port in node.output(0).get_target_inputs()]
    return readers[0] if len(readers) == 1 else None


def constant(value: ov.Output) -> np.ndarray | None:
    """Its values, reshaped or not; None where it is computed."""
    node = value.get_node()
    if node.get_type_name() == "Reshape":
        values = constant(node.input_value(0))
        return None if values is None else values.reshape(list(value.get_shape()))
    return node.data if node.get_type_name() == "Constant" else None
