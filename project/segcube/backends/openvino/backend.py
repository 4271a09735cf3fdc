"""OpenVINO on a CPU; neither torch nor MONAI is imported."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import openvino as ov

from segcube.backends.memory import give_freed_memory_back, out_of_memory_errors
from segcube.backends.native.installed import find_kernels, kernels_summary
from segcube.backends.native.program import aligned_floats
from segcube.backends.openvino.graphs import Compiled, NoGraphs, compile_for_run, read_compiled
from segcube.backends.openvino.lowering import lower
from segcube.backends.openvino.mapped import MappedWeights, map_weights
from segcube.backends.openvino.models import read_model, weighted_sum
from segcube.backends.openvino.native_network import NativeMember, NativeNetwork
from segcube.backends.openvino.network import OpenVINONetwork, compile_model
from segcube.backends.openvino.rewrites import (
    replace_transposed_depthwise,
    split_concatenations,
    use_exact_norms,
)
from segcube.backends.openvino.signal_stack import kept_signal_stack
from segcube.core import Shape
from segcube.spec.submission import LoadedSubmission, MemberFile, member_files

CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}
LazyNetwork: TypeAlias = "OpenVINONetwork | NativeNetwork"


@dataclass(frozen=True)
class GraphMember:
    """A member's graph, and the mapped file that its weights lie in."""

    model: ov.Model
    weights: MappedWeights


@dataclass
class OpenVINOBackend:
    """Networks on all cores: native programs where kernels compute all convolutions, else compiled graphs.

    Arrays are numpy's. All networks keep their weights; only the active one has working memory, which native
    programs of one size share.
    """

    compiled: Compiled
    precision: str
    reason: str
    name: str = "openvino"
    device: str = "cpu"
    networks: dict[Hashable, LazyNetwork | None] = field(default_factory=dict)
    """By member, or by the members of a sum and their weights."""
    core: ov.Core = field(default_factory=ov.Core)
    _active: OpenVINONetwork | None = None
    _memory: np.ndarray | None = None
    """Of native programs."""

    def load(self, member: MemberFile) -> LazyNetwork:
        """The network of a weights file, read and checked once.

        A graph without native kernels is compiled when it first runs; the first one at once, while the first
        case is still being read.
        """
        network = self._cached(member, [member], np.ones((1, member.outputs)))
        assert network is not None, "a member alone has a network"
        return network

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> LazyNetwork | None:
        """One network for the weighted sum of all members: each window is cut and added once.

        None for one member, and for members of which only some have a native program.
        """
        if len(members) == 1:
            return None
        return self._cached((*members, weight_mk.tobytes()), members, weight_mk)

    def _cached(
        self, key: Hashable, members: Sequence[MemberFile], weight_mk: np.ndarray
    ) -> LazyNetwork | None:
        if key not in self.networks:
            with out_of_memory_errors():
                network = self._network(members, weight_mk)
                if isinstance(network, OpenVINONetwork) and not self.networks:
                    network.compile()
            self.networks[key] = network
        return self.networks[key]

    def _network(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> LazyNetwork | None:
        """Native programs run in turn, or graphs joined in one that shares working memory."""
        read = [self._read(member) for member in members]
        programs = [one for one in read if isinstance(one, NativeMember)]
        if len(programs) == len(read):
            give_freed_memory_back()
            return NativeNetwork(programs, weight_mk, self.native_memory)
        if programs:
            return None
        graphs = [one for one in read if isinstance(one, GraphMember)]
        models = [one.model for one in graphs]
        model = weighted_sum(models, weight_mk) if len(models) > 1 else models[0]
        weights = [one.weights for one in graphs]
        return OpenVINONetwork(self.activate, self.core, self.precision, self._rewritten(model), weights)

    def _read(self, member: MemberFile) -> NativeMember | GraphMember:
        weights = map_weights(member.file, member.sha256)
        model = read_model(self.core, self.compiled.read(member), weights, member)
        # In half precision OpenVINO's kernels are faster, and native ones would round sums once more
        kernels = find_kernels() if self.precision == "fp32" else "not in half precision"
        program = None if isinstance(kernels, str) else lower(model, kernels, self._compile_part)
        return GraphMember(model, weights) if program is None else NativeMember(program, weights)

    def _compile_part(self, model: ov.Model) -> ov.CompiledModel:
        # A pinned thread would pass its core on to the threads that the kernels start
        return compile_model(self.core, self._rewritten(model), self.precision, pinned=False)

    def _rewritten(self, model: ov.Model) -> ov.Model:
        replace_transposed_depthwise(model)
        if self.precision == "fp32":
            split_concatenations(model)
            use_exact_norms(model)
        return model

    def activate(self, network: OpenVINONetwork) -> None:
        """Free the working memory of every other network."""
        if self._active is not network:
            self.release()
            self._active = network

    def native_memory(self, floats: int) -> np.ndarray:
        """Working memory for a native program of so many floats; every other network's is freed."""
        if self._memory is None or self._memory.size != floats:
            self.release()
            self._memory = aligned_floats(floats)
        return self._memory

    def upload(self, array: np.ndarray) -> np.ndarray:
        return array

    def zeros(self, channels: int, shape: Shape) -> np.ndarray:
        return np.zeros((channels, *shape), dtype=np.float32)

    def download(self, array: np.ndarray) -> np.ndarray:
        return array

    def release(self) -> None:
        """Free the working memory; the weights stay."""
        self._memory = None
        if self._active is not None:
            self._active.free_working_memory()
            self._active = None

    def in_fp32(self) -> OpenVINOBackend:
        """The same graphs in fp32."""
        return OpenVINOBackend(self.compiled, "fp32", "half precision overflowed", core=self.core)


def open_openvino(
    loaded: LoadedSubmission, precision: str, why: str, log: Callable[[str], None]
) -> OpenVINOBackend:
    """Open OpenVINO with the graphs beside the weights, or with graphs compiled for this run alone.

    Raises NoGraphs where a graph is missing and cannot be compiled, EnvironmentFault for graphs that exist
    and cannot be read.
    """
    compiled = read_compiled(loaded.folder)
    missing = [m for m in member_files(loaded.submission, loaded.folder) if m not in compiled]
    if missing:
        log(
            f"{missing[0].file.name}: not compiled for OpenVINO; compiling for this run alone "
            f"(segcube compile {loaded.folder} does it once and for all)"
        )
        compiled = compile_for_run(loaded.folder)
    core = _start_cpu_plugin()
    if precision != "fp32" and not _supports(core, precision):
        log(f"this CPU has no {precision}; fp32 instead")
        precision = "fp32"
    version = ov.__version__.split("-")[0]
    reason = f"{why}; openvino {version}, {precision}"
    if precision == "fp32":
        reason += f", native kernels: {kernels_summary()}"
    return OpenVINOBackend(compiled, precision, reason, core=core)


def _start_cpu_plugin() -> ov.Core:
    """Load OpenVINO's CPU plugin, which fails without threads or memory. Raises NoGraphs."""
    core = ov.Core()
    try:
        with kept_signal_stack():
            core.get_property("CPU", "FULL_DEVICE_NAME")
    except RuntimeError as error:
        last_line = str(error).strip().splitlines()[-1].strip()
        raise NoGraphs(f"OpenVINO does not start here: {last_line}") from error
    return core


def _supports(core: ov.Core, precision: str) -> bool:
    return CAPABILITIES[precision] in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
