"""Members of one architecture in one graph that is compiled once; each run passes a member's weights."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import openvino as ov

from segcube.backends.native.layers import Convolution, Layer, Size, form
from segcube.backends.openvino.mapped import MappedWeights
from segcube.backends.openvino.network import OpenVINONetwork, window_by_window
from segcube.backends.protocol import AccumulatorView


@dataclass(frozen=True)
class Program:
    """A compiled graph of native kernels, whose nodes compute the current `calls`."""

    graph: OpenVINONetwork
    calls: list[Layer]

    def run(self, calls: Sequence[Layer], batch_ncxyz: np.ndarray) -> np.ndarray:
        """Logits of a batch with the weights in `calls`, which have the same forms as the graph's."""
        self.calls[:] = calls
        return self.graph(batch_ncxyz)


@dataclass(frozen=True, eq=False)
class NativeMember:
    """A member's weights, and the program that computes with them."""

    program: Program
    calls: tuple[Layer, ...]
    weights: MappedWeights

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """Logits, float32."""
        return self.program.run(self.calls, batch_ncxyz)

    def compile(self) -> None:
        self.program.graph.compile()


@dataclass(frozen=True, eq=False)
class AccumulatingMember(NativeMember):
    """A member whose last convolution can add its output to an accumulator."""

    @property
    def size(self) -> Size:
        """Of its logits, (1, K, X, Y, Z)."""
        return self._last.size

    def add(self, window_ncxyz: np.ndarray, view: AccumulatorView) -> None:
        """Add the logits of a window (1, C, X, Y, Z) to an accumulator of its size."""
        self.program.run([*self.calls[:-1], replace(self._last, accumulator=view)], window_ncxyz)

    @property
    def _last(self) -> Convolution:
        last = self.calls[-1]
        assert isinstance(last, Convolution), "can_accumulate was checked"
        return last


@dataclass(frozen=True, eq=False)
class NativeSum:
    """The weighted sum of members of one program, accumulated by their last convolutions."""

    members: Sequence[AccumulatingMember]
    weight_mk: np.ndarray

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """sum_m weight_mk * logits_m, float32."""
        return window_by_window(self._sum, batch_ncxyz)

    def add(self, window_ncxyz: np.ndarray, view: AccumulatorView) -> None:
        """Add the sum of their logits of a window (1, C, X, Y, Z) to an accumulator of its size."""
        for member, weight_k in zip(self.members, self.weight_mk, strict=True):
            member.add(window_ncxyz, view.scaled(weight_k))
            # Otherwise the mapped pages of all members count as this process's; mapping them again takes 1 ms
            member.weights.forget()

    def _sum(self, window_ncxyz: np.ndarray) -> np.ndarray:
        total_nkxyz = self.members[0].program.graph.scratch(self.members[0].size)
        self.add(window_ncxyz, AccumulatorView(total_nkxyz[0], np.ones(total_nkxyz.shape[1])))
        return total_nkxyz

    def compile(self) -> None:
        self.members[0].compile()


def kind_of(model: ov.Model, calls: Sequence[Layer]) -> Hashable:
    """What members of one program have in common: all constants but the weights in native calls."""
    constants = [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]
    remaining = tuple((str(node.data.dtype), node.data.tobytes()) for node in constants)
    return tuple(form(call) for call in calls), remaining


def can_accumulate(model: ov.Model, calls: Sequence[Layer]) -> bool:
    """Whether a graph ends in a native 1x1x1 convolution that is the last of its calls."""
    (result,) = model.get_results()
    last = calls[-1] if calls else None
    is_native = result.input_value(0).get_node().get_type_name() == "NativeConvolution"
    return is_native and isinstance(last, Convolution) and set(last.weights.kernel.shape[2:]) == {1}
