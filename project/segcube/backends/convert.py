"""torch networks to OpenVINO graphs without weights."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from openvino import opset1, passes
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

from segcube.backends.graphs import TENSOR, Graph
from segcube.backends.made_window import made_window
from segcube.backends.norms import norm_channel_by_channel
from segcube.types import Shape


def to_graph(
    network: torch.nn.Module, channels: int, window: Shape, tensors: Mapping[str, np.ndarray]
) -> Graph:
    """Convert a network for windows of one size.

    tensors: what its weights file holds, which the graph need not hold again. Raises whatever torch or
    OpenVINO raise for a network that they cannot trace or convert.
    """
    # OpenVINO's convert_model would ask its telemetry for leave; its parts do not
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(_traced(network, channels, window))
    model = frontend.convert(frontend.load(decoder))
    model.reshape([1, channels, *window])
    norm_channel_by_channel(model)
    _take_out(model, tensors)
    _fold(model)
    _name_by_place(model)
    with tempfile.TemporaryDirectory() as folder:
        xml, constants = Path(folder) / "graph.xml", Path(folder) / "graph.bin"
        ov.serialize(model, xml, constants)
        return Graph(xml.read_bytes(), constants.read_bytes())


def _traced(network: torch.nn.Module, channels: int, window: Shape) -> torch.jit.ScriptModule:
    with torch.no_grad(), warnings.catch_warnings():
        # What depends on the window's size may be fixed: the graph is for that size alone
        warnings.simplefilter("ignore")
        return torch.jit.trace(network, made_window(channels, window), check_trace=False)  # type: ignore[return-value]


def _take_out(model: ov.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Put a parameter in the place of every constant that is one of the tensors, byte for byte."""
    names = {(tensor.dtype, tensor.tobytes()): name for name, tensor in tensors.items()}
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_output_size() != 1:
            continue
        values = node.get_data()
        name = names.get((values.dtype, values.tobytes()))
        if name is None:
            continue
        parameter = opset1.parameter(node.get_output_shape(0), node.get_output_element_type(0))
        parameter.set_friendly_name(TENSOR + name)
        node.output(0).replace(parameter.output(0))
        model.add_parameters([parameter])


def _fold(model: ov.Model) -> None:
    """Compute once what depends on shapes alone; a run reads and keeps a fourth of the nodes."""
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


def _name_by_place(model: ov.Model) -> None:
    """Give nodes names that the same network always gets; OpenVINO's own count on through the process."""
    model.set_friendly_name("network")
    for index, node in enumerate(model.get_ordered_ops()):
        notes = node.get_rt_info()
        for key in [key for key in notes.keys() if key.startswith("fused_names")]:  # noqa: SIM118
            del notes[key]
        if not node.get_friendly_name().startswith(TENSOR):
            node.set_friendly_name(f"{node.get_type_name()}{index}")
        for port in node.outputs():
            port.get_tensor().set_names(set())
