"""Members as OpenVINO's models: a graph with its weights, several of them as one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import openvino as ov
from openvino import op, opset13

from segcube.backends.openvino.graphs import COMPILE_AGAIN, TENSOR, Graph
from segcube.backends.openvino.mapped import MappedWeights
from segcube.backends.protocol import MemberFile
from segcube.core import EnvironmentFault

SMALL_BYTES = 2**16
"""Tensors below are copied: they are read in every forward, the others are packed anew once."""
CHANNELS = 1
"""The axis of channels in (N, C, X, Y, Z)."""


def read_model(core: ov.Core, graph: Graph, weights: MappedWeights, member: MemberFile) -> ov.Model:
    """A member's graph with its tensors, which stay where they are mapped.

    Raises EnvironmentFault for a graph that is not of the branch's network.
    """
    model = core.read_model(graph.xml, ov.Tensor(np.frombuffer(graph.constants, np.uint8).copy()))
    _fill(model, weights)
    _expect_fit(model, member)
    return model


def split_concatenations(model: ov.Model) -> None:
    """Make each convolution of concatenated tensors a sum of convolutions, one a tensor.

    The same sum in another order; but no copy of all the channels stands beside them where a U-Net needs most
    memory.
    """
    for concat in model.get_ordered_ops():
        if concat.get_type_name() != "Concat" or concat.get_attributes()["axis"] != CHANNELS:
            continue
        readers = [port.get_node() for port in concat.output(0).get_target_inputs()]
        if all(_has_constant_kernel(reader) for reader in readers):
            for reader in readers:
                _split(reader, concat)


def weighted_sum(models: Sequence[ov.Model], weight_mk: np.ndarray) -> ov.Model:
    """The first model, made to give sum_m weight_mk * logits_m of a window; the others go into it."""
    first, *others = models
    window, result = first.get_parameters()[0], first.get_results()[0]
    total = _weighted(first, weight_mk[0])
    for model, weight_k in zip(others, weight_mk[1:], strict=True):
        later = _after(total, window)
        for port in list(model.get_parameters()[0].output(0).get_target_inputs()):
            port.replace_source_output(later)
        total = opset13.add(total, _weighted(model, weight_k))
    result.input(0).replace_source_output(total.output(0))
    return first


def _weighted(model: ov.Model, weight_k: np.ndarray) -> ov.Node:
    said = model.get_results()[0].input_value(0)
    return opset13.multiply(said, weight_k.astype(np.float32).reshape(1, -1, 1, 1, 1))


def _after(total: ov.Node, window: ov.Node) -> ov.Output:
    """The window, once the sum so far is there.

    OpenVINO runs what depends on nothing else as early as it can: all members' layers, and only then their
    last ones, with every member's last features in memory until then.
    """
    first, past = np.zeros(5, np.int64), np.ones(5, np.int64)
    nothing = opset13.multiply(opset13.slice(total, first, past, past), np.float32(0))
    return opset13.add(window, nothing).output(0)


def _fill(model: ov.Model, weights: MappedWeights) -> None:
    """Put the tensors of the weights file where the graph's parameters name them."""
    for parameter in model.get_parameters():
        key = parameter.get_friendly_name().removeprefix(TENSOR)
        if key == parameter.get_friendly_name():
            continue
        tensor = weights.tensors[key].reshape(list(parameter.get_output_shape(0)))
        constant = op.Constant(tensor, shared_memory=tensor.nbytes >= SMALL_BYTES)
        parameter.output(0).replace(constant.output(0))
        model.remove_parameter(parameter)


def _expect_fit(model: ov.Model, member: MemberFile) -> None:
    found = [tuple(port.get_shape()) for port in (*model.inputs, *model.outputs)]
    asked = [(1, member.channels, *member.window), (1, member.outputs, *member.window)]
    if found != asked:
        raise EnvironmentFault(
            f"its compiled graph takes and gives {found}",
            file=member.file,
            expected=f"{asked}, as its branch has them",
            hint=f"fix the branch in submission.yaml, then {COMPILE_AGAIN}",
        )


def _has_constant_kernel(node: ov.Node) -> bool:
    if node.get_type_name() != "Convolution":
        return False
    return node.input_value(1).get_node().get_type_name() == "Constant"


def _split(convolution: ov.Node, concat: ov.Node) -> None:
    kernel_kcxyz = convolution.input_value(1).get_node().data
    how = convolution.get_attributes()
    parts, first = [], 0
    for part in concat.input_values():
        past = first + part.get_shape()[CHANNELS]
        kernel = op.Constant(np.ascontiguousarray(kernel_kcxyz[:, first:past]))
        pads = how["pads_begin"], how["pads_end"]
        parts.append(
            opset13.convolution(part, kernel, how["strides"], *pads, how["dilations"], how["auto_pad"])
        )
        first = past
    convolution.output(0).replace(reduce(opset13.add, parts).output(0))
