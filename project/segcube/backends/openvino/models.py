"""Members as OpenVINO models: a graph filled with its weights, and the weighted sum of several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov
from openvino import op, opset13

from segcube.backends.openvino.graphs import COMPILE_AGAIN, TENSOR, Graph
from segcube.backends.openvino.mapped import MappedWeights
from segcube.core import EnvironmentFault
from segcube.spec.submission import MemberFile

SMALL_BYTES = 2**16
"""Smaller tensors are copied: every forward reads them. OpenVINO repacks the larger ones once."""


def read_model(core: ov.Core, graph: Graph, weights: MappedWeights, member: MemberFile) -> ov.Model:
    """Read a member's graph and fill in its tensors, which stay mapped from the disk.

    Raises EnvironmentFault for a graph whose channels or window are not the branch's.
    """
    model = core.read_model(graph.xml, ov.Tensor(np.frombuffer(graph.constants, np.uint8).copy()))
    _fill(model, weights)
    _expect_fit(model, member)
    return model


def weighted_sum(models: Sequence[ov.Model], weight_mk: np.ndarray) -> ov.Model:
    """Turn the first model into sum_m weight_mk * logits_m of a window; it takes over the others' nodes."""
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
    logits = model.get_results()[0].input_value(0)
    return opset13.multiply(logits, weight_k.astype(np.float32).reshape(1, -1, 1, 1, 1))


def _after(total: ov.Node, window: ov.Node) -> ov.Output:
    """The window, available only after the sum so far.

    OpenVINO runs independent nodes as early as possible: without this dependency, all members' features would
    be in memory at once.
    """
    first, past = np.zeros(5, np.int64), np.ones(5, np.int64)
    nothing = opset13.multiply(opset13.slice(total, first, past, past), np.float32(0))
    return opset13.add(window, nothing).output(0)


def _fill(model: ov.Model, weights: MappedWeights) -> None:
    """Replace the graph's named parameters by the tensors of the weights file."""
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
    expected = [(1, member.channels, *member.window), (1, member.outputs, *member.window)]
    if found != expected:
        raise EnvironmentFault(
            f"its compiled graph takes and gives {found}",
            file=member.file,
            expected=f"{expected}, as its branch has them",
            hint=f"fix the branch in submission.yaml, then {COMPILE_AGAIN}",
        )
