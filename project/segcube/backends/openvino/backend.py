"""OpenVINO on a CPU; neither torch nor MONAI is imported."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import openvino as ov

from segcube.backends.memory import out_of_memory_errors
from segcube.backends.native.installed import find_kernels
from segcube.backends.native.layers import Layer
from segcube.backends.openvino.graphs import Compiled
from segcube.backends.openvino.mapped import MappedWeights, map_weights
from segcube.backends.openvino.models import read_model, weighted_sum
from segcube.backends.openvino.native_graph import run_natively
from segcube.backends.openvino.native_members import (
    AccumulatingMember,
    NativeMember,
    NativeSum,
    Program,
    can_accumulate,
    kind_of,
)
from segcube.backends.openvino.network import OpenVINONetwork
from segcube.backends.openvino.rewrites import (
    replace_transposed_depthwise,
    split_concatenations,
    use_exact_norms,
)
from segcube.core import Shape, run_outside_main_thread
from segcube.spec.submission import MemberFile

LazyNetwork: TypeAlias = "OpenVINONetwork | NativeMember | NativeSum"


@dataclass(frozen=True)
class LoadedModel:
    """A member's graph with its weights."""

    member: MemberFile
    model: ov.Model
    weights: MappedWeights
    calls: list[Layer]
    """Of its native kernels; empty without any."""
    accumulates: bool
    """Whether the last of them can add to an accumulator."""


@dataclass
class OpenVINOBackend:
    """Compiled graphs on all cores; arrays are numpy's.

    All networks keep their weights; only the active one has working memory.
    """

    compiled: Compiled
    precision: str
    reason: str
    name: str = "openvino"
    device: str = "cpu"
    networks: dict[Hashable, LazyNetwork] = field(default_factory=dict)
    """By member, or by the members of a sum and their weights."""
    programs: dict[Hashable, Program] = field(default_factory=dict[Hashable, Program])
    """By the properties that members of one program share."""
    core: ov.Core = field(default_factory=ov.Core)
    _active: OpenVINONetwork | None = None

    def load(self, member: MemberFile) -> LazyNetwork:
        """The network of a weights file; read and checked once, compiled when it first runs.

        The first network is compiled at once, while the first case is still being read.
        """
        return self._cached(member, lambda: self._network(self._read(member)))

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> LazyNetwork | None:
        """One network for the weighted sum of all members: each window is cut and added once."""
        if len(members) == 1:
            return None
        return self._cached((*members, weight_mk.tobytes()), lambda: self._sum(members, weight_mk))

    def _cached(self, key: Hashable, make: Callable[[], LazyNetwork]) -> LazyNetwork:
        if key not in self.networks:
            with out_of_memory_errors():
                self.networks[key] = run_outside_main_thread(lambda: self._build(make))
        return self.networks[key]

    def _build(self, make: Callable[[], LazyNetwork]) -> LazyNetwork:
        network = make()
        if not self.networks:
            network.compile()
        return network

    def _sum(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> LazyNetwork:
        """Members run in turn by one native program, or joined in one graph that shares working memory."""
        models = [self._read(member) for member in members]
        # A graph without native kernels holds all weights as constants: too many to compare
        if all(one.accumulates for one in models) and len(set(map(self._kind, models))) == 1:
            return NativeSum([AccumulatingMember(*self._parts(one)) for one in models], weight_mk)
        # It changes the models, so that no program can be built from them afterwards
        model = weighted_sum([one.model for one in models], weight_mk)
        return self._graph(model, [one.weights for one in models], any(one.calls for one in models))

    def _read(self, member: MemberFile) -> LoadedModel:
        weights = map_weights(member.file, member.sha256)
        model = read_model(self.core, self.compiled.read(member), weights, member)
        # In half precision OpenVINO's kernels are faster, and native ones would round sums once more
        kernels = find_kernels() if self.precision == "fp32" else "not in half precision"
        calls = [] if isinstance(kernels, str) else run_natively(model, kernels)
        return LoadedModel(member, model, weights, calls, can_accumulate(model, calls))

    def _network(self, loaded: LoadedModel) -> OpenVINONetwork | NativeMember:
        if not loaded.calls:
            return self._graph(loaded.model, [loaded.weights], natively=False)
        kind = AccumulatingMember if loaded.accumulates else NativeMember
        return kind(*self._parts(loaded))

    def _parts(self, loaded: LoadedModel) -> tuple[Program, tuple[Layer, ...], MappedWeights]:
        """Program, calls and weights of a native member; members of one kind share the program."""
        key = self._kind(loaded)
        if key not in self.programs:
            graph = self._graph(loaded.model, [loaded.weights], natively=True)
            self.programs[key] = Program(graph, loaded.calls)
        return self.programs[key], tuple(loaded.calls), loaded.weights

    def _kind(self, loaded: LoadedModel) -> Hashable:
        return self.compiled.digest(loaded.member), kind_of(loaded.model, loaded.calls)

    def _graph(self, model: ov.Model, weights: Sequence[MappedWeights], natively: bool) -> OpenVINONetwork:
        replace_transposed_depthwise(model)
        if self.precision == "fp32":
            split_concatenations(model)
            use_exact_norms(model)
        return OpenVINONetwork(self.activate, self.core, self.precision, model, weights, natively)

    def activate(self, network: OpenVINONetwork) -> None:
        """Free the working memory of every other network."""
        if self._active is not network:
            self.release()
            self._active = network

    def upload(self, array: np.ndarray) -> np.ndarray:
        return array

    def zeros(self, channels: int, shape: Shape) -> np.ndarray:
        return np.zeros((channels, *shape), dtype=np.float32)

    def download(self, array: np.ndarray) -> np.ndarray:
        return array

    def release(self) -> None:
        """Free the working memory; the weights stay."""
        if self._active is not None:
            self._active.free_working_memory()
            self._active = None

    def in_fp32(self) -> OpenVINOBackend:
        """The same graphs in fp32."""
        return OpenVINOBackend(self.compiled, "fp32", "half precision overflowed", core=self.core)
