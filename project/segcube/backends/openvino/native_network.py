"""Members as native programs, run in turn: each window's logits are added to one accumulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from segcube.backends.memory import out_of_memory_errors
from segcube.backends.native.program import WINDOW, Program
from segcube.backends.openvino.mapped import MappedWeights
from segcube.backends.openvino.network import copy_window
from segcube.backends.protocol import AccumulatorView


@dataclass(frozen=True)
class NativeMember:
    """A member's program, and the mapped file that its weights lie in."""

    program: Program
    weights: MappedWeights


@dataclass(frozen=True, eq=False)
class NativeNetwork:
    """The weighted sum of members, or one alone."""

    members: Sequence[NativeMember]
    weight_mk: np.ndarray
    memory: Callable[[int], np.ndarray]
    """The backend's working memory of so many floats."""

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """sum_m weight_mk * logits_m, float32."""
        program = self.members[0].program
        logits_nkxyz = np.zeros((len(batch_ncxyz), *program.sizes[program.logits][1:]), np.float32)
        for window_cxyz, logits_kxyz in zip(batch_ncxyz, logits_nkxyz, strict=True):
            self.add(window_cxyz[None], AccumulatorView(logits_kxyz, np.ones(len(logits_kxyz))))
        return logits_nkxyz

    def add(self, window_ncxyz: np.ndarray, view: AccumulatorView) -> None:
        """Add the sum of a window (1, C, X, Y, Z) to an accumulator of its size."""
        with out_of_memory_errors():
            memory = self.memory(max(member.program.floats for member in self.members))
            # All programs have the window in the same place
            copy_window(window_ncxyz, self.members[0].program.buffers(memory)[WINDOW])
            for member, weight_k in zip(self.members, self.weight_mk, strict=True):
                member.program.add(memory, view.scaled(weight_k))
                if len(self.members) > 1:
                    # Otherwise the pages of all count as this process's; mapping them again takes 1 ms
                    member.weights.forget()
