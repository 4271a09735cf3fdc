"""Groups of a graph's nodes that one native kernel computes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import openvino as ov

from segcube.backends.native.kernels import Affine, ConvWeights
from segcube.backends.openvino.mednext_patterns import MlpPattern, UpsamplePattern, find_mlps, find_upsamples
from segcube.backends.openvino.nodes import (
    CHANNELS,
    CONVOLUTION,
    CONVOLUTIONS,
    GROUPED,
    IMAGE,
    TRANSPOSED,
    concatenated,
    constant,
    conv_weights_of,
    has_native_kernel,
    is_block_mean,
    is_instance_norm,
    only_reader,
    other_input,
    per_channel,
)

GELUS = ("Gelu", "Erf")
Pattern: TypeAlias = "ConvolutionPattern | MlpPattern | NormPattern | PoolPattern | UpsamplePattern"


@dataclass(frozen=True)
class Patterns:
    """What the native kernels compute of a graph."""

    by_last: dict[ov.Node, Pattern]
    """By the node whose output a pattern's kernel writes."""
    sums: set[ov.Node]
    """Additions that belong to norms."""
    inner: set[ov.Node]
    """Convolutions that belong to larger patterns."""
    normed: set[ov.Node]
    """Images whose moments norms read."""


def find_patterns(model: ov.Model) -> Patterns | None:
    """The patterns of a graph.

    None where a convolution has no native kernel, or a depthwise graph has another GELU.
    """
    nodes, upsamples = model.get_ordered_ops(), find_upsamples(model)
    projections = [one.projection for one in upsamples if one.projection is not None]
    inner = {projection.convolution for projection in projections}
    others = [node for node in nodes if node.get_type_name() in CONVOLUTIONS and node not in inner]
    if not all(map(has_native_kernel, others)):
        return None
    convolutions = [ConvolutionPattern.around(node) for node in others]
    with_moments = [one.last for one in convolutions if one.kind != TRANSPOSED]
    norms = [norm for norm in find_norms(model) if norm.inputs[0].get_node() in with_moments]
    sums = {norm.sum for norm in norms if norm.sum is not None}
    mlps = find_mlps(model, [*sums, *(projection.sum for projection in projections)])
    inner |= {node for mlp in mlps for node in mlp.convolutions}
    kinds = Counter(node.get_type_name() for node in nodes)
    if kinds[GROUPED] and sum(kinds[name] for name in GELUS) > len(mlps):
        return None
    outer = [one for one in convolutions if one.convolution not in inner]
    pools = [PoolPattern(node) for node in nodes if is_block_mean(node)]
    found = (*outer, *norms, *mlps, *upsamples, *pools)
    normed = {norm.inputs[0].get_node() for norm in norms}
    return Patterns({pattern.last: pattern for pattern in found}, sums, inner, normed)


@dataclass(frozen=True)
class ConvolutionPattern:
    """A convolution of images that may be concatenated, and perhaps its bias."""

    convolution: ov.Node
    bias: np.ndarray | None
    last: ov.Node

    @classmethod
    def around(cls, node: ov.Node) -> ConvolutionPattern:
        """The pattern of a convolution."""
        return cls(node, *per_channel(node, "Add", None))

    @property
    def kind(self) -> str:
        """The type of the convolution's node."""
        return self.convolution.get_type_name()

    @property
    def inputs(self) -> list[ov.Output]:
        """The images that are read."""
        image = self.convolution.input_value(IMAGE)
        return list(concatenated(image)) if self.kind == CONVOLUTION else [image]

    @property
    def weights(self) -> ConvWeights:
        """As the graph holds them."""
        return conv_weights_of(self.convolution, self.bias)


@dataclass(frozen=True)
class PoolPattern:
    """Means of blocks."""

    last: ov.Node

    @property
    def inputs(self) -> list[ov.Output]:
        """The image that is averaged."""
        return [self.last.input_value(0)]

    @property
    def block(self) -> tuple[int, ...]:
        """Voxels of a block, (x, y, z)."""
        return tuple(self.last.get_attributes()["kernel"])


@dataclass(frozen=True)
class NormPattern:
    """An instance norm, its affine map, and perhaps an addition and a rectifier."""

    norm: ov.Node
    affine: Affine
    """Includes the rectifier where nothing is added."""
    scaled: ov.Node
    """The last node of the affine map."""
    sum: ov.Node | None
    slope: float
    """Of the rectifier behind the sum; 1 for none."""
    last: ov.Node

    @property
    def inputs(self) -> list[ov.Output]:
        """The image that is normalised, and what is added."""
        residual = [] if self.sum is None else [other_input(self.sum, self.scaled)]
        return [self.norm.input_value(0), *residual]


def find_norms(model: ov.Model) -> list[NormPattern]:
    """Every instance norm of a graph, in order; a sum of two belongs to the first."""
    patterns: list[NormPattern] = []
    for node in model.get_ordered_ops():
        if is_instance_norm(node):
            patterns.append(_norm_pattern(node, [pattern.sum for pattern in patterns]))
    return patterns


def _norm_pattern(norm: ov.Node, taken: list[ov.Node | None]) -> NormPattern:
    channels = norm.get_output_shape(0)[CHANNELS]
    scale, last = per_channel(norm, "Multiply", np.ones(channels, np.float32))
    shift, scaled = per_channel(last, "Add", np.zeros(channels, np.float32))
    epsilon = float(norm.get_attributes()["eps"])
    added = only_reader(scaled)
    if added is not None and added.get_type_name() == "Add" and added not in taken:
        slope, last = _rectifier_behind(added)
        other = other_input(added, scaled)
        if last is not added and other.get_shape() == scaled.get_output_shape(0):
            return NormPattern(norm, Affine(scale, shift, epsilon, 1.0), scaled, added, slope, last)
    slope, last = _rectifier_behind(scaled)
    return NormPattern(norm, Affine(scale, shift, epsilon, slope), scaled, None, 1.0, last)


def _rectifier_behind(node: ov.Node) -> tuple[float, ov.Node]:
    """The slope below zero of the rectifier that alone reads a node, and the rectifier; or 1 and the node."""
    reader = only_reader(node)
    if reader is not None and reader.get_type_name() == "Relu":
        return 0.0, reader
    if reader is not None and reader.get_type_name() == "PRelu":
        slope = constant(reader.input_value(1))
        if slope is not None and slope.size == 1:
            return float(slope.item()), reader
    return 1.0, node
