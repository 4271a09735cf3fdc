"""Groups of a MedNeXt's nodes that one native kernel computes: pointwise MLPs and upsampled additions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import openvino as ov

from segcube.backends.native.kernels import ConvWeights
from segcube.backends.openvino.nodes import (
    CONVOLUTION,
    IMAGE,
    TRANSPOSED,
    VOXELS,
    constant,
    conv_weights_of,
    only_reader,
    other_input,
    per_channel,
)


@dataclass(frozen=True)
class MlpPattern:
    """Two pointwise convolutions with a GELU between them, and perhaps an addition behind them."""

    convolutions: tuple[ov.Node, ov.Node]
    weights: tuple[ConvWeights, ConvWeights]
    compressed: ov.Node
    sum: ov.Node | None

    @property
    def inputs(self) -> list[ov.Output]:
        """The first convolution's image, and what is added."""
        residual = [] if self.sum is None else [other_input(self.sum, self.compressed)]
        return [self.convolutions[0].input_value(IMAGE), *residual]

    @property
    def last(self) -> ov.Node:
        """The node whose output the native kernel writes."""
        return self.sum or self.compressed


def find_mlps(model: ov.Model, taken: Sequence[ov.Node]) -> list[MlpPattern]:
    """Every such pair of a graph; taken: sums that belong to other patterns."""
    patterns: list[MlpPattern] = []
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Gelu":
            pattern = _mlp_around(node, [*taken, *(other.last for other in patterns)])
            patterns += [] if pattern is None else [pattern]
    return patterns


def _mlp_around(gelu: ov.Node, taken: Sequence[ov.Node]) -> MlpPattern | None:
    expand, compress = _convolution_before(gelu), only_reader(gelu)
    if expand is None or compress is None or gelu.get_attributes()["approximation_mode"].lower() != "erf":
        return None
    if not (_is_pointwise(expand) and _is_pointwise(compress)):
        return None
    bias, compressed = per_channel(compress, "Add", None)
    total = _sum_behind(compressed)
    weights = (
        conv_weights_of(expand, per_channel(expand, "Add", None)[0]),
        conv_weights_of(compress, bias),
    )
    return MlpPattern((expand, compress), weights, compressed, None if total in taken else total)


def _sum_behind(node: ov.Node) -> ov.Node | None:
    """The node that alone reads an image, if it adds another of the same size."""
    reader = only_reader(node)
    if reader is None or reader.get_type_name() != "Add":
        return None
    other = other_input(reader, node)
    return reader if other.get_shape() == node.get_output_shape(0) else None


def _convolution_before(gelu: ov.Node) -> ov.Node | None:
    """The convolution whose output, with its bias, only the GELU reads."""
    before = gelu.input_value(0).get_node()
    for node in [before, *(value.get_node() for value in before.input_values())]:
        if node.get_type_name() == CONVOLUTION and per_channel(node, "Add", None)[1] == before:
            return node if only_reader(before) == gelu else None
    return None


def _is_pointwise(node: ov.Node) -> bool:
    if node.get_type_name() != CONVOLUTION or constant(node.input_value(1)) is None:
        return False
    attributes = node.get_attributes()
    ones = [*list(node.input_value(1).get_shape())[VOXELS], *attributes["strides"]]
    return set(ones) == {1} and not any([*attributes["pads_begin"], *attributes["pads_end"]])


@dataclass(frozen=True)
class Projection:
    """A transposed 1x1x1 convolution, whose stride leaves gaps between its voxels; its bias has none."""

    convolution: ov.Node
    bias: np.ndarray | None
    biased: ov.Node
    sum: ov.Node
    """What adds it to an image."""


@dataclass(frozen=True)
class UpsamplePattern:
    """An image padded to the size of a skip, with the additions before and behind the padding."""

    pad: ov.Node
    projection: Projection | None
    skip_sum: ov.Node | None

    @property
    def inputs(self) -> list[ov.Output]:
        """The image that is padded, the projection's image, and the skip that the sum is added to."""
        skip = [] if self.skip_sum is None else [other_input(self.skip_sum, self.pad)]
        if (projection := self.projection) is None:
            return [self.pad.input_value(0), *skip]
        image = other_input(projection.sum, projection.biased)
        return [image, projection.convolution.input_value(IMAGE), *skip]

    @property
    def padding(self) -> tuple[int, ...]:
        """Zeros before the image, on each axis."""
        padding = constant(self.pad.input_value(1))
        assert padding is not None, "_pads_with_zeros was checked"
        return tuple(padding.tolist()[VOXELS])

    @property
    def last(self) -> ov.Node:
        """The node whose output the native kernel writes."""
        return self.skip_sum or self.pad


def find_upsamples(model: ov.Model) -> list[UpsamplePattern]:
    """Every such padding of a graph."""
    pads = [node for node in model.get_ordered_ops() if _pads_with_zeros(node)]
    return [UpsamplePattern(pad, _projection_before(pad), _sum_behind(pad)) for pad in pads]


def _projection_before(pad: ov.Node) -> Projection | None:
    """The projection in the sum that only the padding reads."""
    total = pad.input_value(0).get_node()
    if total.get_type_name() != "Add" or only_reader(total) != pad:
        return None
    for biased in (value.get_node() for value in total.input_values()):
        for node in [biased, *(value.get_node() for value in biased.input_values())]:
            if node.get_type_name() == TRANSPOSED and _spreads_voxels(node) and _sum_behind(biased) == total:
                bias, last = per_channel(node, "Add", None)
                if last == biased:
                    return Projection(node, bias, biased, total)
    return None


def _spreads_voxels(node: ov.Node) -> bool:
    """Whether a transposed convolution has a 1x1x1 kernel and no padding."""
    kernel, attributes = constant(node.input_value(1)), node.get_attributes()
    if kernel is None or kernel.dtype != np.float32 or node.get_input_size() != 2:
        return False
    if prod(kernel.shape[VOXELS]) != 1:
        return False
    sizes = zip(list(node.get_input_shape(0))[VOXELS], attributes["strides"], strict=True)
    spread = [(size - 1) * stride + 1 for size, stride in sizes]
    pads = [*attributes["pads_begin"], *attributes["pads_end"]]
    return list(node.get_output_shape(0))[VOXELS] == spread and not any(pads)


def _pads_with_zeros(node: ov.Node) -> bool:
    """Whether a node adds zeros around the voxels of an image (1, C, X, Y, Z)."""
    if node.get_type_name() != "Pad" or len(node.get_output_shape(0)) != 5:
        return False
    pads = [constant(node.input_value(index)) for index in (1, 2)]
    value = constant(node.input_value(3)) if node.get_input_size() > 3 else np.zeros(1)
    if value is None or value.any() or node.get_attributes()["pad_mode"] != "constant":
        return False
    return all(pad is not None and not pad[:2].any() and (pad >= 0).all() for pad in pads)
