"""Put our own kernels into a graph of OpenVINO's, where they can run all that takes long in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import openvino as ov

from segcube.backends.native import Affine, NativeKernels, Taps
from segcube.backends.native_chains import Chain, constant, find_chains, per_channel
from segcube.backends.native_layers import (
    WORD,
    Call,
    Convolving,
    ConvolvingTransposed,
    Normed,
    Norming,
    Norms,
    Pooling,
)
from segcube.backends.native_ops import Convolve, ConvolveTransposed, Native, Norm, Pool
from segcube.backends.norms import SPACE
from segcube.backends.openvino_models import CHANNELS

CONVOLUTION, TRANSPOSED = "Convolution", "ConvolutionBackpropData"
CONVOLUTIONS = (CONVOLUTION, TRANSPOSED, "GroupConvolution", "GroupConvolutionBackpropData")
IMAGE = 0
"""The input of a convolution that is no kernel."""


def run_natively(model: ov.Model, kernels: NativeKernels | None) -> list[Call] | None:
    """Put kernels of ours in the places of a graph's convolutions, if all of them have one; their calls.

    The nodes compute what stands in the list when they are run. None where the graph stays as it is.

    Not for some of them: OpenVINO's own want their channels side by side, and turning an image round takes
    as long as ours save. Concatenations that convolutions read go, and so do means of blocks, and instance
    norms behind a convolution with what is added and the rectifier that follows: a norm that only kernels of
    ours read has no image of its own, they compute it as they read; with what is added, it takes the place of
    the convolution's.
    """
    if kernels is None or not all(_is_ours(node) for node in _convolutions(model)):
        return None
    _multiply_by_one_no_more(model)
    plain = [node for node in _convolutions(model) if node.get_type_name() == CONVOLUTION]
    ends = [per_channel(node, "Add", None)[1] for node in plain]
    chains = [chain for chain in find_chains(model) if chain.norm.input_value(0).get_node() in ends]
    replacing = Replacing(kernels, [chain.sum for chain in chains if chain.sum is not None])
    last = {chain.last: chain for chain in chains}
    for node in model.get_ordered_ops():
        if node.get_type_name() in CONVOLUTIONS:
            replacing.convolution(node)
        elif node in last:
            replacing.chain(last[node])
        elif _pools(node):
            replacing.pool(node)
    return replacing.calls


@dataclass(frozen=True)
class Replacing:
    """A graph whose nodes are replaced, each after those that it reads."""

    kernels: NativeKernels
    sums: Sequence[ov.Node]
    """Those that norms take along."""
    calls: list[Call] = field(default_factory=list[Call])
    """Of the nodes of ours, in their order."""
    standing: dict[ov.Output, tuple[Sequence[ov.Output], Affine | Normed]] = field(
        default_factory=dict[ov.Output, tuple[Sequence[ov.Output], "Affine | Normed"]]
    )
    """Norms without an image of their own: what their readers take instead."""

    def convolution(self, node: ov.Node) -> None:
        """Put ours in its place."""
        kernel, how = constant(node.input_value(1)), node.get_attributes()
        assert kernel is not None, "asked before"
        bias, last = per_channel(node, "Add", None)
        taps = Taps(kernel, bias, tuple(how["strides"]), tuple(how["pads_begin"]))
        image, size = node.input_value(IMAGE), tuple(node.get_output_shape(0))
        if node.get_type_name() == CONVOLUTION:
            inputs, norms = self._read(_parts(image))
            ours = self._node(Convolve, inputs, Convolving(self.kernels, size, norms, taps))
        else:
            inputs, norms = self._read([image])
            call = ConvolvingTransposed(self.kernels, size, norms, taps)
            ours = self._node(ConvolveTransposed, inputs, call)
        last.output(0).replace(ours.output(0))

    def chain(self, chain: Chain) -> None:
        """Put ours in its place, or leave it to those that read it; the convolution before it is ours."""
        image = chain.norm.input_value(0).get_node()
        last, residual = chain.last.output(0), chain.residual
        ours = self._is_read_by_ours(last)
        if residual is None and ours:
            self.standing[last] = image.outputs(), chain.affine
            return
        inputs, norms = self._read([] if residual is None else [residual])
        in_place = ours and len(image.output(0).get_target_inputs()) == 1
        size = WORD if in_place else tuple(last.get_shape())
        call = Norming(self.kernels, size, (chain.affine, *norms), chain.slope)
        node = self._node(Norm, [*image.outputs(), *inputs], call)
        if in_place:
            self.standing[last] = [image.output(0), node.output(0)], Normed()
        else:
            last.replace(node.output(0))

    def pool(self, node: ov.Node) -> None:
        """Put ours in its place."""
        inputs, norms = self._read([node.input_value(0)])
        block, size = tuple(node.get_attributes()["kernel"]), tuple(node.get_output_shape(0))
        node.output(0).replace(self._node(Pool, inputs, Pooling(self.kernels, size, norms, block)).output(0))

    def _node(self, kind: type[Native], inputs: Sequence[ov.Output], call: Call) -> Native:
        self.calls.append(call)
        return kind(inputs, self.calls, len(self.calls) - 1)

    def _read(self, images: Sequence[ov.Output]) -> tuple[list[ov.Output], Norms]:
        """The inputs that stand for images, and how they are read."""
        inputs: list[ov.Output] = []
        norms: list[Affine | Normed | None] = []
        for image in images:
            outputs, norm = self.standing.get(image, ([image], None))
            inputs += outputs
            norms.append(norm)
        return inputs, tuple(norms)

    def _is_read_by_ours(self, image: ov.Output) -> bool:
        return all(
            _convolves(port)
            or _pools(port.get_node())
            or port.get_node() in self.sums
            or (_concatenates_channels(port.get_node()) and _is_read_by_convolutions(port.get_node()))
            for port in image.get_target_inputs()
        )


def _convolutions(model: ov.Model) -> list[ov.Node]:
    return [node for node in model.get_ordered_ops() if node.get_type_name() in CONVOLUTIONS]


def _convolves(port: ov.Input) -> bool:
    return port.get_node().get_type_name() in (CONVOLUTION, TRANSPOSED) and port.get_index() == IMAGE


def _pools(node: ov.Node) -> bool:
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


def _concatenates_channels(node: ov.Node) -> bool:
    return node.get_type_name() == "Concat" and node.get_attributes()["axis"] == CHANNELS


def _is_read_by_convolutions(node: ov.Node) -> bool:
    """Whether all that reads it takes it in parts."""
    readers = [port.get_node().get_type_name() for port in node.output(0).get_target_inputs()]
    return set(readers) == {CONVOLUTION}


def _is_ours(node: ov.Node) -> bool:
    kernel, how = constant(node.input_value(1)), node.get_attributes()
    if kernel is None or kernel.ndim != len(SPACE) + 2 or node.get_input_size() != 2:
        return False
    if kernel.dtype != np.float32 or set(how["dilations"]) != {1} or how["auto_pad"] != "explicit":
        return False
    if node.get_type_name() == CONVOLUTION:
        return True
    return (
        node.get_type_name() == TRANSPOSED
        and list(how["strides"]) == list(kernel.shape[2:])
        and not any([*how["pads_begin"], *how["pads_end"], *how["output_padding"]])
    )


def _parts(image: ov.Output) -> Sequence[ov.Output]:
    made_by = image.get_node()
    return made_by.input_values() if _concatenates_channels(made_by) else [image]


def _multiply_by_one_no_more(model: ov.Model) -> None:
    """What torch says for a sum."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Multiply":
            for factor, image in (node.input_values(), reversed(node.input_values())):
                values = constant(factor)
                if values is not None and values.size == 1 and values.item() == 1:
                    node.output(0).replace(image)
                    break
