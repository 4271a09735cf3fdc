"""OpenVINO on a CPU; neither torch nor MONAI is imported."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import openvino as ov

from segcube.backends.native.kernels import native_kernels
from segcube.backends.openvino.graphs import Compiled
from segcube.backends.openvino.layers import Call
from segcube.backends.openvino.mapped import MappedWeights, map_weights
from segcube.backends.openvino.models import read_model, split_concatenations, weighted_sum
from segcube.backends.openvino.native_members import (
    AddingMember,
    NativeMember,
    NativeSum,
    Program,
    can_add,
    kind_of,
)
from segcube.backends.openvino.network import OpenVINONetwork, memory_told
from segcube.backends.openvino.norms import norm_exactly
from segcube.backends.openvino.replacing import run_natively
from segcube.backends.openvino.transposed import say_transposed_as_plain
from segcube.backends.protocol import MemberFile
from segcube.core import Shape, out_of_signals_way

Compiling: TypeAlias = "OpenVINONetwork | NativeMember | NativeSum"


@dataclass(frozen=True)
class Read:
    """A member's graph with its weights."""

    model: ov.Model
    weights: MappedWeights
    calls: list[Call]
    """Of our own kernels in it; none where it has none."""
    adds: bool
    """Whether the last of them may add to a sum."""


@dataclass
class OpenVINOBackend:
    """Compiled graphs on all cores; arrays are numpy's.

    Every member's weights stay, the working memory is one network's: whose turn it is has it.
    """

    compiled: Compiled
    precision: str
    reason: str
    name: str = "openvino"
    device: str = "cpu"
    networks: dict[Hashable, Compiling] = field(default_factory=dict)
    """By member, or by the members of a sum and their weights."""
    programs: dict[Hashable, Program] = field(default_factory=dict[Hashable, Program])
    """By what members must have in common to run in one."""
    core: ov.Core = field(default_factory=ov.Core)
    _running: OpenVINONetwork | None = None

    def load(self, member: MemberFile) -> Compiling:
        """The network of a weights file by its graph; read and checked once, compiled when its turn comes.

        The first is compiled at once, while the first case is read.
        """
        return self._kept(member, lambda: self._network(member, self._read(member)))

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> Compiling | None:
        """One network for the sum of all members: a window is cut and added once."""
        if len(members) == 1:
            return None
        return self._kept((*members, weight_mk.tobytes()), lambda: self._sum(members, weight_mk))

    def _kept(self, key: Hashable, make: Callable[[], Compiling]) -> Compiling:
        if key not in self.networks:
            with memory_told():
                self.networks[key] = out_of_signals_way(lambda: self._made(make))
        return self.networks[key]

    def _made(self, make: Callable[[], Compiling]) -> Compiling:
        network = make()
        if not self.networks:
            network.compile()
        return network

    def _sum(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> Compiling:
        """Members one after the other in one program; or a graph of all, which shares its working memory."""
        read = [self._read(member) for member in members]
        pairs = list(zip(members, read, strict=True))
        # What is left of a graph without kernels of ours is all its weights, too much to compare
        if all(one.adds for one in read) and len({self._kind(member, one) for member, one in pairs}) == 1:
            return NativeSum([AddingMember(*self._parts(member, one)) for member, one in pairs], weight_mk)
        # It takes the models apart: no program may be made of one
        model = weighted_sum([one.model for one in read], weight_mk)
        return self._graph(model, [one.weights for one in read], any(one.calls for one in read))

    def _read(self, member: MemberFile) -> Read:
        weights = map_weights(member.file, member.sha256)
        model = read_model(self.core, self.compiled.read(member), weights, member)
        # In bfloat16 the chip's own kernels are faster, and sums would be rounded once more
        calls = run_natively(model, native_kernels()) if self.precision == "fp32" else None
        return Read(model, weights, calls or [], calls is not None and can_add(model, calls))

    def _network(self, member: MemberFile, read: Read) -> OpenVINONetwork | NativeMember:
        if read.calls:
            return self._native(member, read)
        return self._graph(read.model, [read.weights], natively=False)

    def _native(self, member: MemberFile, read: Read) -> NativeMember:
        kind = AddingMember if read.adds else NativeMember
        return kind(*self._parts(member, read))

    def _parts(self, member: MemberFile, read: Read) -> tuple[Program, tuple[Call, ...], MappedWeights]:
        """What a member of our kernels is made of; those of one kind share a program."""
        key = self._kind(member, read)
        if key not in self.programs:
            self.programs[key] = Program(self._graph(read.model, [read.weights], natively=True), read.calls)
        return self.programs[key], tuple(read.calls), read.weights

    def _kind(self, member: MemberFile, read: Read) -> Hashable:
        return self.compiled.digest(member), kind_of(read.model, read.calls)

    def _graph(self, model: ov.Model, weights: Sequence[MappedWeights], natively: bool) -> OpenVINONetwork:
        say_transposed_as_plain(model)
        if self.precision == "fp32":
            split_concatenations(model)
            norm_exactly(model)
        return OpenVINONetwork(self, self.core, self.precision, model, weights, natively)

    def give_turn(self, network: OpenVINONetwork) -> None:
        """Let a network have the working memory."""
        if self._running is not network:
            self.release()
            self._running = network

    def upload(self, array: np.ndarray) -> np.ndarray:
        """The array itself."""
        return array

    def zeros(self, channels: int, shape: Shape) -> np.ndarray:
        """A float32 accumulator."""
        return np.zeros((channels, *shape), dtype=np.float32)

    def download(self, array: np.ndarray) -> np.ndarray:
        """The array itself."""
        return array

    def release(self) -> None:
        """Give back the working memory; the weights stay."""
        if self._running is not None:
            self._running.rest()
            self._running = None

    def in_full_precision(self) -> OpenVINOBackend:
        """The same graphs in fp32."""
        return OpenVINOBackend(self.compiled, "fp32", "half precision overflowed", core=self.core)
