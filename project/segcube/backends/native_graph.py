"""Put our own kernels into a graph of OpenVINO's, where they can run all that takes long in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import openvino as ov

from segcube.backends.native import Affine, NativeKernels, Taps
from segcube.backends.native_ops import (
    Convolve,
    ConvolveTransposed,
    Convolving,
    ConvolvingTransposed,
    Norm,
    Norming,
)
from segcube.backends.norms import SPACE, is_instance_norm
from segcube.backends.openvino_models import CHANNELS

T = TypeVar("T")
CONVOLUTIONS = (
    "Convolution",
    "ConvolutionBackpropData",
    "GroupConvolution",
    "GroupConvolutionBackpropData",
)


def run_natively(model: ov.Model, kernels: NativeKernels | None) -> bool:
    """Whether all convolutions of a graph have kernels of ours, which then stand in their places.

    Not some of them: OpenVINO's own want their channels side by side, and turning an image round takes as
    long as ours save. Concatenations that convolutions read go, and so do instance norms behind a
    convolution, with what is added and the rectifier that follows.
    """
    convolutions = [node for node in model.get_ordered_ops() if node.get_type_name() in CONVOLUTIONS]
    if kernels is None or not all(_is_ours(node) for node in convolutions):
        return False
    _multiply_by_one_no_more(model)
    for node in convolutions:
        _replace_convolution(node, kernels)
    for node in model.get_ordered_ops():
        if is_instance_norm(node) and node.input_value(0).get_node().get_type_name() == "Convolve":
            _replace_norm(node, kernels)
    return True


def _is_ours(node: ov.Node) -> bool:
    kernel, how = _constant(node.input_value(1)), node.get_attributes()
    if kernel is None or kernel.ndim != len(SPACE) + 2 or node.get_input_size() != 2:
        return False
    if kernel.dtype != np.float32 or set(how["dilations"]) != {1} or how["auto_pad"] != "explicit":
        return False
    if node.get_type_name() == "Convolution":
        return True
    return (
        node.get_type_name() == "ConvolutionBackpropData"
        and list(how["strides"]) == list(kernel.shape[2:])
        and not any([*how["pads_begin"], *how["pads_end"], *how["output_padding"]])
    )


def _replace_convolution(node: ov.Node, kernels: NativeKernels) -> None:
    kernel, how = _constant(node.input_value(1)), node.get_attributes()
    assert kernel is not None, "asked before"
    bias, last = _per_channel(node, "Add", None)
    taps = Taps(kernel, bias, tuple(how["strides"]), tuple(how["pads_begin"]))
    image, size = node.input_value(0), tuple(node.get_output_shape(0))
    ours = (
        Convolve(_parts(image), Convolving(kernels, taps, size))
        if node.get_type_name() == "Convolution"
        else ConvolveTransposed([image], ConvolvingTransposed(kernels, taps, size))
    )
    last.output(0).replace(ours.output(0))


def _parts(image: ov.Output) -> Sequence[ov.Output]:
    made_by = image.get_node()
    if made_by.get_type_name() == "Concat" and made_by.get_attributes()["axis"] == CHANNELS:
        return made_by.input_values()
    return [image]


def _replace_norm(node: ov.Node, kernels: NativeKernels) -> None:
    size = tuple(node.get_output_shape(0))
    channels = size[CHANNELS]
    scale, last = _per_channel(node, "Multiply", np.ones(channels, np.float32))
    shift, last = _per_channel(last, "Add", np.zeros(channels, np.float32))
    slope, last, residual = _rest(last)
    image = node.input_value(0).get_node()
    affine = Affine(scale, shift, float(node.get_attributes()["eps"]), slope)
    inputs = [image.output(0), image.output(1), *residual]
    last.output(0).replace(Norm(inputs, Norming(kernels, affine, size)).output(0))


def _per_channel(node: ov.Node, kind: str, none: T) -> tuple[np.ndarray | T, ov.Node]:
    """What a node's only reader multiplies or adds to each channel, and that reader; or none, and it."""
    reader = _only_reader(node)
    if reader is None or reader.get_type_name() != kind:
        return none, node
    values = _of_channels(reader, node)
    return (none, node) if values is None else (values, reader)


def _rest(node: ov.Node) -> tuple[float, ov.Node, list[ov.Output]]:
    """The slope of what follows, its last node, and the image that is added before."""
    added = _only_reader(node)
    if added is not None and added.get_type_name() == "Add":
        slope, last = _rectifier(added)
        other = _other_input(added, node)
        if last is not added and other.get_shape() == node.get_output_shape(0):
            return slope, last, [other]
    return *_rectifier(node), []


def _rectifier(node: ov.Node) -> tuple[float, ov.Node]:
    reader = _only_reader(node)
    if reader is not None and reader.get_type_name() == "Relu":
        return 0.0, reader
    if reader is not None and reader.get_type_name() == "PRelu":
        slope = _constant(reader.input_value(1))
        if slope is not None and slope.size == 1:
            return float(slope.item()), reader
    return 1.0, node


def _of_channels(reader: ov.Node, node: ov.Node) -> np.ndarray | None:
    """The reader's other input, where that is a constant of one value a channel."""
    other, channels = _other_input(reader, node), node.get_output_shape(0)[CHANNELS]
    values = _constant(other)
    if values is None or list(other.get_shape()) != [1, channels, 1, 1, 1]:
        return None
    return np.ascontiguousarray(values.reshape(channels), np.float32)


def _other_input(reader: ov.Node, node: ov.Node) -> ov.Output:
    first, second = reader.input_values()
    return second if first.get_node() == node else first


def _only_reader(node: ov.Node) -> ov.Node | None:
    readers = [port.get_node() for port in node.output(0).get_target_inputs()]
    return readers[0] if len(readers) == 1 else None


def _constant(value: ov.Output) -> np.ndarray | None:
    """Its values, reshaped or not."""
    node = value.get_node()
    if node.get_type_name() == "Reshape":
        values = _constant(node.input_value(0))
        return None if values is None else values.reshape(list(value.get_shape()))
    return node.data if node.get_type_name() == "Constant" else None


def _multiply_by_one_no_more(model: ov.Model) -> None:
    """What torch says for a sum."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Multiply":
            for factor, image in (node.input_values(), reversed(node.input_values())):
                values = _constant(factor)
                if values is not None and values.size == 1 and values.item() == 1:
                    node.output(0).replace(image)
                    break
