"""Compile a submission: a graph of each member for OpenVINO."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from openvino import opset1, passes
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

from segcube.backends.fit import check_member
from segcube.backends.memory import keep_freed_memory
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.openvino.graphs import (
    TENSOR,
    Compiled,
    Entry,
    Graph,
    Index,
    NoGraphs,
    write_graph,
    write_index,
)
from segcube.backends.openvino.mapped import map_weights
from segcube.backends.openvino.rewrites import replace_group_norms
from segcube.backends.torch_cpu import selftest_window
from segcube.core import Shape
from segcube.networks import load_network
from segcube.spec.submission import LoadedSubmission, MemberFile, member_files


def to_graph(
    network: torch.nn.Module, channels: int, window: Shape, tensors: Mapping[str, np.ndarray]
) -> Graph:
    """Convert a network for windows of one size.

    tensors: what its weights file holds, which the graph need not hold again. Raises whatever torch or
    OpenVINO raise for a network that they cannot trace or convert.
    """
    # OpenVINO's convert_model calls its telemetry; the frontend does not
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(_traced(network, channels, window))
    model = frontend.convert(frontend.load(decoder))
    model.reshape([1, channels, *window])
    replace_group_norms(model)
    _replace_weights(model, tensors)
    _fold_constants(model)
    _name_by_position(model)
    with tempfile.TemporaryDirectory() as folder:
        xml, constants = Path(folder) / "graph.xml", Path(folder) / "graph.bin"
        ov.serialize(model, xml, constants)
        return Graph(xml.read_bytes(), constants.read_bytes())


def _traced(network: torch.nn.Module, channels: int, window: Shape) -> torch.jit.ScriptModule:
    with torch.no_grad(), warnings.catch_warnings():
        # The warnings concern values that are fixed for one window size, which the graph is for
        warnings.simplefilter("ignore")
        return torch.jit.trace(network, selftest_window(channels, window), check_trace=False)  # type: ignore[return-value]


def _replace_weights(model: ov.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Replace every constant that equals one of the tensors byte for byte by a parameter of its name."""
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


def _fold_constants(model: ov.Model) -> None:
    """Compute once what depends on shapes alone; a run reads and keeps a fourth of the nodes."""
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


def _name_by_position(model: ov.Model) -> None:
    """Name nodes by position, so that a network always gives the same bytes; OpenVINO counts per process."""
    model.set_friendly_name("network")
    for index, node in enumerate(model.get_ordered_ops()):
        notes = node.get_rt_info()
        for key in [key for key in notes.keys() if key.startswith("fused_names")]:  # noqa: SIM118
            del notes[key]
        if not node.get_friendly_name().startswith(TENSOR):
            node.set_friendly_name(f"{node.get_type_name()}{index}")
        for port in node.outputs():
            port.get_tensor().set_names(set())


MAX_DISTANCE = 1e-3
"""Largest root mean square distance of a graph's fp32 logits from torch's, in their standard deviations."""


def compile_submission(loaded: LoadedSubmission, out: Path, log: Callable[[str], None]) -> int:
    """Write a graph for every member and the list of them into `out`; returns their bytes.

    log: receives a line per member. Raises EnvironmentFault for damaged weights, or a folder that cannot be
    written; NoGraphs, and nothing is listed, for a network that OpenVINO cannot take.
    """
    # Tracing and running torch take a third less time
    keep_freed_memory()
    members = dict.fromkeys(member_files(loaded.submission, loaded.folder))
    entries: dict[MemberFile, Entry] = {}
    for member in members:
        log(f"{member.file.name}: windows of {' x '.join(map(str, member.window))}")
        check_member(member)
        entries[member] = write_graph(_checked_graph(member), member, out)
    listed = {(entry.weights, entry.window): entry for entry in entries.values()}
    write_index(Index(openvino=ov.__version__.split("-")[0], graphs=tuple(listed.values())), out)
    return sum((out / entry.file).stat().st_size for entry in listed.values())


def _checked_graph(member: MemberFile) -> Graph:
    """Convert a member and compare its logits with torch's. Raises NoGraphs."""
    network = load_network(member.file, member.sha256)
    tensors = map_weights(member.file, member.sha256).tensors
    try:
        graph = to_graph(network, member.channels, member.window, tensors)
        distance = _distance(network, graph, member)
    except (RuntimeError, ValueError, TypeError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NoGraphs(f"{member.file}: OpenVINO cannot take its network: {first_line}") from error
    if not distance <= MAX_DISTANCE:
        raise NoGraphs(f"{member.file}: OpenVINO's logits lie {distance:.1g} deviations from torch's")
    return graph


def _distance(network: torch.nn.Module, graph: Graph, member: MemberFile) -> float:
    window_ncxyz = selftest_window(member.channels, member.window)
    with torch.inference_mode():
        expected = network(window_ncxyz).numpy()
    entry = Entry(file=member.file.name, sha256=member.sha256, weights=member.sha256, window=member.window)
    compiled = Compiled(member.file.parent, {(member.sha256, member.window): entry}, {entry.sha256: graph})
    found = OpenVINOBackend(compiled, "fp32", "a self-test").load(member)(window_ncxyz.numpy())
    return float(np.sqrt(np.mean((found - expected) ** 2)) / max(float(expected.std()), 1e-12))
