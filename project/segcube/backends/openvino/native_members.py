"""Members of one graph, compiled once: each has it in its turn, with its own weights."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import openvino as ov

from segcube.backends.openvino.layers import Call, Convolving, Size, form
from segcube.backends.openvino.mapped import MappedWeights
from segcube.backends.openvino.network import OpenVINONetwork, window_by_window
from segcube.backends.protocol import AccumulatorView


@dataclass(frozen=True)
class Program:
    """A graph of our kernels, which compute what `calls` holds."""

    graph: OpenVINONetwork
    calls: list[Call]

    def run(self, calls: Sequence[Call], batch_ncxyz: np.ndarray) -> np.ndarray:
        """Logits of a batch, with the weights that other calls of the same forms have."""
        self.calls[:] = calls
        return self.graph(batch_ncxyz)


@dataclass(frozen=True, eq=False)
class NativeMember:
    """A member's weights, and the graph that takes them."""

    program: Program
    calls: tuple[Call, ...]
    weights: MappedWeights

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """Logits, float32."""
        return self.program.run(self.calls, batch_ncxyz)

    def compile(self) -> None:
        """Compile the graph, if it is not."""
        self.program.graph.compile()


@dataclass(frozen=True, eq=False)
class AddingMember(NativeMember):
    """One whose last convolution may add to a sum what it would write."""

    @property
    def size(self) -> Size:
        """Of what it says of a window, (1, K, X, Y, Z)."""
        return self._last.size

    def add(self, window_ncxyz: np.ndarray, onto: AccumulatorView) -> None:
        """Add what it says of a window, (1, C, X, Y, Z), to a part of a sum that fits."""
        self.program.run([*self.calls[:-1], replace(self._last, onto=onto)], window_ncxyz)

    @property
    def _last(self) -> Convolving:
        last = self.calls[-1]
        assert isinstance(last, Convolving), "`can_add` was asked before"
        return last


@dataclass(frozen=True, eq=False)
class NativeSum:
    """Members of one program: what they say of a window is added up as their last convolutions make it."""

    members: Sequence[AddingMember]
    weight_mk: np.ndarray

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """sum_m weight_mk * logits_m, float32."""
        return window_by_window(self._sum, batch_ncxyz)

    def add(self, window_ncxyz: np.ndarray, onto: AccumulatorView) -> None:
        """Add what they say of a window, (1, C, X, Y, Z), to a part of a sum that fits."""
        for member, weight_k in zip(self.members, self.weight_mk, strict=True):
            member.add(window_ncxyz, onto.scaled(weight_k))
            # Mapped pages of all members would count as this process's; to map them again takes a millisecond
            member.weights.forget()

    def _sum(self, window_ncxyz: np.ndarray) -> np.ndarray:
        total_nkxyz = self.members[0].program.graph.scratch(self.members[0].size)
        self.add(window_ncxyz, AccumulatorView(total_nkxyz[0], np.ones(total_nkxyz.shape[1])))
        return total_nkxyz

    def compile(self) -> None:
        """Compile the graph, if it is not."""
        self.members[0].compile()


def kind_of(model: ov.Model, calls: Sequence[Call]) -> Hashable:
    """What members of one program have in common: all that is left but the weights in our calls."""
    constants = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]
    left = tuple((str(node.data.dtype), node.data.tobytes()) for node in constants)
    return tuple(form(call) for call in calls), left


def can_add(model: ov.Model, calls: Sequence[Call]) -> bool:
    """Whether a graph ends in a convolution of ours, the last of its calls, that reads each voxel once."""
    (result,) = model.get_results()
    last = calls[-1] if calls else None
    ends = result.input_value(0).get_node().get_type_name() == "Convolve"
    return ends and isinstance(last, Convolving) and set(last.taps.kernel.shape[2:]) == {1}
