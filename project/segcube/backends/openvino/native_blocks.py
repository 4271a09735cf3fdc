"""What a MedNeXt's block ends in: channels are widened and narrowed, and on the way up lifted onto a skip."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import openvino as ov

from segcube.backends.native.kernels import Summands, Taps
from segcube.backends.openvino.chains import (
    CONVOLUTION,
    TRANSPOSED,
    constant,
    only_reader,
    other_input,
    per_channel,
    taps_of,
)
from segcube.backends.openvino.layers import Layer, Size, parts_of

SPACE = slice(2, None)
ONES = (1, 1, 1)


@dataclass(frozen=True)
class Widening(Layer):
    """An image (1, C, X, Y, Z), and perhaps what is added, to residual + narrow(gelu(widen(image)))."""

    taps: tuple[Taps, Taps]
    """Of both pointwise convolutions."""

    @property
    def about(self) -> tuple[Hashable, ...]:
        """How wide."""
        return tuple(taps.form for taps in self.taps)

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        part, *residual = parts_of(inputs, self.norms)
        self.kernels.widen(part, self.taps, residual[0].image if residual else None, outputs[0][0])


@dataclass(frozen=True)
class Lifting(Layer):
    """An image and perhaps a sparse one and a skip, in this order, to their sum."""

    bias: np.ndarray | None
    """(K), added where the image is."""
    before: Size
    """Voxels of the sum before the image, on each axis."""
    stride: Size | None
    """Of the sparse one's voxels; None where there is none."""
    has_skip: bool

    @property
    def about(self) -> tuple[Hashable, ...]:
        """What it adds."""
        return self.before, self.stride, self.has_skip, self.bias is None

    def __call__(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Write it."""
        image, *others = (one[0] for one in inputs)
        skip = others.pop() if self.has_skip else None
        summands = Summands(skip, image, others[0] if others else None, self.bias)
        self.kernels.lift(summands, self.before, self.stride or ONES, outputs[0][0])


@dataclass(frozen=True)
class Widened:
    """Two pointwise convolutions of a graph with a GELU between, and perhaps a sum behind them."""

    convolutions: tuple[ov.Node, ov.Node]
    taps: tuple[Taps, Taps]
    narrowed: ov.Node
    sum: ov.Node | None

    @property
    def image(self) -> ov.Output:
        """What is widened."""
        return self.convolutions[0].input_value(0)

    @property
    def residual(self) -> ov.Output | None:
        """What is added."""
        return None if self.sum is None else other_input(self.sum, self.narrowed)

    @property
    def last(self) -> ov.Node:
        """What ours stands for."""
        return self.sum or self.narrowed


@dataclass(frozen=True)
class Projection:
    """A transposed convolution of one tap, whose voxels lie apart; its bias lies everywhere."""

    convolution: ov.Node
    bias: np.ndarray | None
    biased: ov.Node
    sum: ov.Node
    """What adds it to an image."""


@dataclass(frozen=True)
class Lifted:
    """An image of a graph that zeros fill up to the size of a skip, and the sums before and behind that."""

    pad: ov.Node
    projection: Projection | None
    onto: ov.Node | None

    @property
    def image(self) -> ov.Output:
        """What is filled up, without the projection."""
        if self.projection is None:
            return self.pad.input_value(0)
        return other_input(self.projection.sum, self.projection.biased)

    @property
    def skip(self) -> ov.Output | None:
        """What it is added to."""
        return None if self.onto is None else other_input(self.onto, self.pad)

    @property
    def before(self) -> tuple[int, ...]:
        """Zeros before the image, on each axis."""
        before = constant(self.pad.input_value(1))
        assert before is not None, "asked before"
        return tuple(before.tolist()[SPACE])

    @property
    def last(self) -> ov.Node:
        """What ours stands for."""
        return self.onto or self.pad


def find_widened(model: ov.Model, taken: Sequence[ov.Node]) -> list[Widened]:
    """Every such pair of a graph; taken: sums that belong to others."""
    found: list[Widened] = []
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Gelu":
            pair = _widened(node, [*taken, *(one.last for one in found)])
            found += [] if pair is None else [pair]
    return found


def find_lifted(model: ov.Model) -> list[Lifted]:
    """Every one of a graph."""
    pads = [node for node in model.get_ordered_ops() if _fills_around(node)]
    return [Lifted(pad, _projection_before(pad), _sum_behind(pad)) for pad in pads]


def _widened(gelu: ov.Node, taken: Sequence[ov.Node]) -> Widened | None:
    wide, narrow = _convolution_before(gelu), only_reader(gelu)
    if wide is None or narrow is None or gelu.get_attributes()["approximation_mode"].lower() != "erf":
        return None
    if not (_is_pointwise(wide) and _is_pointwise(narrow)):
        return None
    bias, narrowed = per_channel(narrow, "Add", None)
    total = _sum_behind(narrowed)
    taps = taps_of(wide, per_channel(wide, "Add", None)[0]), taps_of(narrow, bias)
    return Widened((wide, narrow), taps, narrowed, None if total in taken else total)


def _sum_behind(node: ov.Node) -> ov.Node | None:
    """What alone reads an image, where that adds another of its size."""
    reader = only_reader(node)
    if reader is None or reader.get_type_name() != "Add":
        return None
    other = other_input(reader, node)
    return reader if other.get_shape() == node.get_output_shape(0) else None


def _convolution_before(gelu: ov.Node) -> ov.Node | None:
    """The one whose output, with its bias, only the GELU reads."""
    before = gelu.input_value(0).get_node()
    nodes = [before, *(value.get_node() for value in before.input_values())]
    for node in nodes:
        if node.get_type_name() == CONVOLUTION and per_channel(node, "Add", None)[1] == before:
            return node if only_reader(before) == gelu else None
    return None


def _is_pointwise(node: ov.Node) -> bool:
    if node.get_type_name() != CONVOLUTION or constant(node.input_value(1)) is None:
        return False
    how = node.get_attributes()
    ones = [*list(node.input_value(1).get_shape())[SPACE], *how["strides"]]
    return set(ones) == {1} and not any([*how["pads_begin"], *how["pads_end"]])


def _projection_before(pad: ov.Node) -> Projection | None:
    """The one that is added to an image for a node alone."""
    total = pad.input_value(0).get_node()
    if total.get_type_name() != "Add" or only_reader(total) != pad:
        return None
    for biased in (value.get_node() for value in total.input_values()):
        for node in [biased, *(value.get_node() for value in biased.input_values())]:
            if node.get_type_name() == TRANSPOSED and _has_one_tap(node) and _sum_behind(biased) == total:
                bias, last = per_channel(node, "Add", None)
                if last == biased:
                    return Projection(node, bias, biased, total)
    return None


def _has_one_tap(node: ov.Node) -> bool:
    kernel, how = constant(node.input_value(1)), node.get_attributes()
    if kernel is None or kernel.dtype != np.float32 or node.get_input_size() != 2:
        return False
    if prod(kernel.shape[SPACE]) != 1:
        return False
    sizes = zip(list(node.get_input_shape(0))[SPACE], how["strides"], strict=True)
    spread = [(size - 1) * stride + 1 for size, stride in sizes]
    return list(node.get_output_shape(0))[SPACE] == spread and not any([*how["pads_begin"], *how["pads_end"]])


def _fills_around(node: ov.Node) -> bool:
    """Whether a node puts zeros around an image (1, C, X, Y, Z), in its space alone."""
    if node.get_type_name() != "Pad" or len(node.get_output_shape(0)) != 5:
        return False
    pads = [constant(node.input_value(index)) for index in (1, 2)]
    filled = constant(node.input_value(3)) if node.get_input_size() > 3 else np.zeros(1)
    if filled is None or filled.any() or node.get_attributes()["pad_mode"] != "constant":
        return False
    return all(pad is not None and not pad[:2].any() and (pad >= 0).all() for pad in pads)
