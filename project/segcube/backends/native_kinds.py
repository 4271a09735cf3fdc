"""Which nodes of a graph our own kernels can stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov

from segcube.backends.native import Taps
from segcube.backends.native_chains import constant
from segcube.backends.norms import SPACE
from segcube.backends.openvino_models import CHANNELS

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
