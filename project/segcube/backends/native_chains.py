"""Instance norms of a graph, with what is computed right behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import openvino as ov

from segcube.backends.native import Affine
from segcube.backends.norms import is_instance_norm
from segcube.backends.openvino_models import CHANNELS

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
