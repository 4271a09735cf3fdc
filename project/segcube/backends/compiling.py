"""Compile a submission's members for OpenVINO, each tried against torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov
import torch

from segcube.backends.convert import to_graph
from segcube.backends.fit import check_member
from segcube.backends.graphs import (
    Compiled,
    Entry,
    Graph,
    Index,
    NoGraphs,
    write_graph,
    write_index,
)
from segcube.backends.made_window import made_window
from segcube.backends.malloc import keep_freed_memory
from segcube.backends.mapped import map_weights
from segcube.backends.members import MemberFile, member_files
from segcube.backends.openvino_backend import OpenVINOBackend
from segcube.checkpoints import load_network
from segcube.submission import LoadedSubmission

FURTHEST = 1e-3
"""Root mean square that a graph's logits in fp32 may lie from torch's, in standard deviations of those."""


def compile_submission(loaded: LoadedSubmission, out: Path, tell: Callable[[str], None]) -> int:
    """Write a graph for every member and the list of them into `out`; returns their bytes.

    tell: told each member. Raises EnvironmentFault for weights that are not sound, or a folder that cannot be
    written; NoGraphs, and nothing is listed, for a network that OpenVINO cannot take.
    """
    # A trace and a try of torch take a third less time
    keep_freed_memory()
    members = dict.fromkeys(member_files(loaded.submission, loaded.folder))
    entries: dict[MemberFile, Entry] = {}
    for member in members:
        tell(f"{member.file.name}: windows of {' x '.join(map(str, member.window))}")
        check_member(member)
        entries[member] = write_graph(_tried(member), member, out)
    listed = {(entry.weights, entry.window): entry for entry in entries.values()}
    write_index(Index(openvino=ov.__version__.split("-")[0], graphs=tuple(listed.values())), out)
    return sum((out / entry.file).stat().st_size for entry in listed.values())


def _tried(member: MemberFile) -> Graph:
    """A member's graph, whose logits are torch's."""
    network = load_network(member.file, member.sha256)
    tensors = map_weights(member.file, member.sha256).tensors
    try:
        graph = to_graph(network, member.channels, member.window, tensors)
        apart = _apart(network, graph, member)
    except (RuntimeError, ValueError, TypeError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise NoGraphs(f"{member.file}: OpenVINO cannot take its network: {first_line}") from error
    if not apart <= FURTHEST:
        raise NoGraphs(f"{member.file}: OpenVINO's logits lie {apart:.1g} deviations from torch's")
    return graph


def _apart(network: torch.nn.Module, graph: Graph, member: MemberFile) -> float:
    window_ncxyz = made_window(member.channels, member.window)
    with torch.inference_mode():
        expected = network(window_ncxyz).numpy()
    entry = Entry(file=member.file.name, sha256=member.sha256, weights=member.sha256, window=member.window)
    compiled = Compiled(member.file.parent, {(member.sha256, member.window): entry}, {entry.sha256: graph})
    found = OpenVINOBackend(compiled, "fp32", "a try").load(member)(window_ncxyz.numpy())
    return float(np.sqrt(np.mean((found - expected) ** 2)) / max(float(expected.std()), 1e-12))
