"""Forwards captured as CUDA graphs: replaying one costs the host a launch, however many kernels it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from segcube.backends.cuda.networks import Resident
from segcube.core import Compile

CALLS = {"auto": 8, "on": 1}
"""Plain forwards of a network before it is captured.

A capture costs about a forward and saves a network's launches in each later one; a small case ends earlier.
The first forward loads kernels and makes plans, which is not allowed during a capture.
"""


class Slot(NamedTuple):
    """A network and the shape of a batch."""

    network: Hashable
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Captured:
    """A captured graph with its input and output buffers."""

    graph: torch.cuda.CUDAGraph
    input_ncxyz: torch.Tensor
    logits_nkxyz: torch.Tensor

    def replay(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits, float32; valid until the next replay of any graph of that shape."""
        self.input_ncxyz.copy_(batch_ncxyz)
        self.graph.replay()
        return self.logits_nkxyz


@dataclass
class Captures:
    """The captured forwards of a device.

    They run one after the other, so that all members share a memory pool and a pair of buffers per shape.
    Call it under the autocast and the inference mode that the forwards run in.
    """

    when: Compile
    log: Callable[[str], None]
    graphs: dict[Slot, Captured] = field(default_factory=dict)
    _calls: Counter[Hashable] = field(default_factory=Counter[Hashable])
    _out_shapes: dict[Slot, tuple[int, ...]] = field(default_factory=dict[Slot, tuple[int, ...]])
    _buffers: dict[Hashable, torch.Tensor] = field(default_factory=dict[Hashable, torch.Tensor])
    _pool: Any = None
    """torch's handle."""
    _stream: torch.cuda.Stream | None = None
    """One for all: cuBLAS keeps a workspace for each."""

    def run(self, key: Hashable, network: Resident, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits of a batch, float32: captured where that pays, with the same bits as plain.

        key: names the network. Raises torch.OutOfMemoryError.
        """
        slot = Slot(key, tuple(batch_ncxyz.shape))
        if slot not in self.graphs and self.is_due(slot):
            self._try_capture(slot, network, batch_ncxyz)
        if slot in self.graphs:
            return self.graphs[slot].replay(batch_ncxyz)
        logits_nkxyz = network(batch_ncxyz).float()
        self._calls[key] += 1
        self._out_shapes[slot] = tuple(logits_nkxyz.shape)
        return logits_nkxyz

    def is_due(self, slot: Slot) -> bool:
        """Whether the next forward of that shape is to be captured; it has run plainly before."""
        return (
            self.when != "off" and slot in self._out_shapes and self._calls[slot.network] >= CALLS[self.when]
        )

    def drop(self) -> None:
        """Drop the graphs and free their memory; networks that run again are captured again."""
        self.graphs.clear()
        self._buffers.clear()
        self._pool = None

    def stop(self, why: str) -> None:
        """Drop the graphs for the rest of the run, and log why."""
        self.when = "off"
        self.drop()
        self.log(f"forwards are no longer captured: {why}")

    def _try_capture(self, slot: Slot, network: Resident, batch_ncxyz: torch.Tensor) -> None:
        try:
            self.graphs[slot] = self._capture(slot, network, batch_ncxyz)
            return
        except (AssertionError, RuntimeError) as error:
            first_line = str(error).strip().splitlines()[0]
        # Outside of the handler, which keeps the capture's memory alive
        self.stop(first_line)

    def _capture(self, slot: Slot, network: Resident, batch_ncxyz: torch.Tensor) -> Captured:
        batch = self._buffer(slot.shape, batch_ncxyz, network.layout)
        logits = self._buffer(self._out_shapes[slot], batch_ncxyz, torch.contiguous_format)
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        stream = self._stream = self._stream or torch.cuda.Stream()
        graph = torch.cuda.CUDAGraph()
        # Other threads are not captured. A failed capture may leave its stream the current one.
        capture = torch.cuda.graph(graph, self._pool, stream, capture_error_mode="thread_local")
        with torch.cuda.stream(stream), capture:
            logits.copy_(network(batch))
        return Captured(graph, batch, logits)

    def _buffer(
        self, shape: tuple[int, ...], beside: torch.Tensor, layout: torch.memory_format
    ) -> torch.Tensor:
        if (shape, layout) not in self._buffers:
            self._buffers[shape, layout] = torch.empty(shape, device=beside.device, memory_format=layout)
        return self._buffers[shape, layout]
