"""Networks compiled for OpenVINO: graphs without weights beside the weights they were converted from.

`openvino.yaml` lists them; a graph is OpenVINO's own two files as safetensors, squeezed by gzip, in which
every constant that the weights file holds byte for byte stands as a parameter of that tensor's name. So it is
small, and the weights lie on the disk once.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import safetensors.numpy
import yaml
from pydantic import ValidationError, field_validator
from safetensors import SafetensorError

from segcube.core import (
    BoundedShape,
    EnvironmentFault,
    FileName,
    Name,
    Sha256,
    Shape,
    StrictModel,
    check_unique,
    explain_validation_error,
    python_command,
    python_environment,
    read_yaml,
    write_atomic,
)
from segcube.spec.submission import LoadedSubmission, MemberFile, check_sha256

INDEX = "openvino.yaml"
SUFFIX = ".openvino"
COMPILE_AGAIN = "run segcube compile again"
TENSOR = "weights:"
"""Begins the name of a parameter that a tensor of the weights file takes the place of."""
MOST_BYTES = 2**28
"""Of a graph, unpacked; those of the largest networks take a hundredth."""
GZIP = 16
"""Selects gzip's header in zlib."""
_XML, _CONSTANTS = "xml", "constants"


class NoGraphs(Exception):
    """A network cannot be converted to a graph here; torch can still run it."""


@dataclass(frozen=True)
class Graph:
    """OpenVINO's own form of a network, without its weights."""

    xml: bytes
    constants: bytes
    """What the weights file does not hold."""


class Entry(StrictModel):
    """A compiled graph, and what it was made of."""

    file: FileName
    sha256: Sha256
    weights: Sha256
    """Of the member's file."""
    window: BoundedShape


class Index(StrictModel):
    """What a folder holds."""

    openvino: Name
    """The version that converted."""
    graphs: tuple[Entry, ...] = ()

    @field_validator("graphs")
    @classmethod
    def _a_graph_for_each(cls, graphs: tuple[Entry, ...]) -> tuple[Entry, ...]:
        check_unique("files", (entry.file for entry in graphs))
        check_unique("weights and windows", ((entry.weights, entry.window) for entry in graphs))
        return graphs


@dataclass(frozen=True)
class Compiled:
    """The graphs of a folder, by the sha256 of their weights and their window."""

    folder: Path
    entries: Mapping[tuple[str, Shape], Entry]
    held: Mapping[str, Graph] = field(default_factory=dict)
    """Graphs already in memory, by their sha256."""

    def __contains__(self, member: MemberFile) -> bool:
        return (member.sha256, member.window) in self.entries

    def digest(self, member: MemberFile) -> str:
        """The sha256 of the graph of a member that is there: folds of one plan have the same."""
        return self.entries[member.sha256, member.window].sha256

    def at_hand(self) -> Compiled:
        """The same graphs, all read, so that the folder may go. Raises EnvironmentFault as `read` does."""
        entries = self.entries.values()
        return replace(self, held={e.sha256: _unpack(self.folder / e.file, e.sha256) for e in entries})

    def read(self, member: MemberFile) -> Graph:
        """The graph of a member that is there.

        Raises EnvironmentFault for a file that is missing, changed or no graph.
        """
        entry = self.entries[member.sha256, member.window]
        return self.held.get(entry.sha256) or _unpack(self.folder / entry.file, entry.sha256)


def read_compiled(folder: Path) -> Compiled:
    """The graphs that a folder's index lists; none where it has no index.

    Raises EnvironmentFault for an index that cannot be read.
    """
    file = folder / INDEX
    if not file.is_file():
        return Compiled(folder, {})
    content = read_yaml(file, EnvironmentFault, hint=COMPILE_AGAIN)
    try:
        index = Index.model_validate(content)
    except ValidationError as error:
        raise EnvironmentFault(
            explain_validation_error(error, Index), file=file, hint=COMPILE_AGAIN
        ) from error
    return Compiled(folder, {(entry.weights, entry.window): entry for entry in index.graphs})


def write_graph(graph: Graph, member: MemberFile, folder: Path) -> Entry:
    """Write a member's graph, whole or not at all; the same graph gives the same bytes."""
    parts = {_XML: graph.xml, _CONSTANTS: graph.constants}
    arrays = {name: np.frombuffer(part, np.uint8) for name, part in parts.items()}
    content = gzip.compress(safetensors.numpy.save(arrays), mtime=0)
    size = "x".join(map(str, member.window))
    file = folder / f"{member.file.stem}-{size}{SUFFIX}"
    write_atomic(file, content)
    digest = hashlib.sha256(content).hexdigest()
    return Entry(file=file.name, sha256=digest, weights=member.sha256, window=member.window)


def write_index(index: Index, folder: Path) -> None:
    """Write the list of a folder's graphs, and remove those that it does not name."""
    content = yaml.safe_dump(index.model_dump(mode="json"), sort_keys=False, default_flow_style=None)
    write_atomic(folder / INDEX, content.encode())
    named = {entry.file for entry in index.graphs}
    for file in folder.glob(f"*{SUFFIX}"):
        if file.name not in named:
            file.unlink()


def _unpack(file: Path, sha256: str) -> Graph:
    try:
        content = file.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise EnvironmentFault(problem, file=file, hint=COMPILE_AGAIN) from error
    check_sha256(hashlib.sha256(content).hexdigest(), sha256, file, COMPILE_AGAIN)
    try:
        unpacked = zlib.decompressobj(wbits=zlib.MAX_WBITS | GZIP).decompress(content, MOST_BYTES)
        arrays = safetensors.numpy.load(unpacked)
        return Graph(arrays[_XML].tobytes(), arrays[_CONSTANTS].tobytes())
    except (zlib.error, SafetensorError, KeyError) as error:
        raise EnvironmentFault(f"is no graph: {error}", file=file, hint=COMPILE_AGAIN) from error


def compile_if_possible(loaded: LoadedSubmission, log: Callable[[str], None]) -> None:
    """Compile a submission beside its weights; logs why it will run on torch where that is impossible.

    Raises EnvironmentFault for weights that are not sound, or a folder that cannot be written.
    """
    if importlib.util.find_spec("openvino") is None:
        log("not compiled, so that torch runs it on a CPU: openvino is not installed")
        return
    from segcube.backends.openvino.compiling import compile_submission

    try:
        compile_submission(loaded, loaded.folder, lambda member: log(f"compiling {member}"))
    except NoGraphs as error:
        log(f"not compiled, so that torch runs it on a CPU: {error}")


def compile_for_run(folder: Path) -> Compiled:
    """Compile a submission in the temporary folder, in a process of its own that frees torch's memory.

    Raises NoGraphs where that fails.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="segcube-") as scratch:
            command = python_command("-m", "segcube.cli", "compile", str(folder.absolute()), "--out", scratch)
            process = subprocess.run(command, capture_output=True, text=True, env=python_environment())
            if process.returncode:
                reason = (process.stderr.strip() or f"ended with {process.returncode}").splitlines()[-1]
                raise NoGraphs(f"compiling failed: {reason.removeprefix('error: ')}")
            return read_compiled(Path(scratch)).at_hand()
    except OSError as error:
        raise NoGraphs(f"no temporary folder to compile in: {error}") from error
