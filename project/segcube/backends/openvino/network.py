"""A compiled graph of OpenVINO's with its working memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import openvino as ov

from segcube.backends.malloc import give_freed_memory_back
from segcube.backends.openvino.mapped import MappedWeights
from segcube.backends.protocol import DeviceMemoryError
from segcube.core import in_threads, out_of_signals_way

PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "could not create a memory", "Cannot allocate memory")
"""What OpenVINO and oneDNN say of a machine without memory; they have no error type for it."""


class Turns(Protocol):
    """Says which network of a backend has the working memory."""

    def give_turn(self, network: OpenVINONetwork) -> None:
        """Let a network have it."""
        ...


@dataclass(eq=False)
class OpenVINONetwork:
    """A compiled graph of one window, of one member or a sum of several."""

    turns: Turns
    core: ov.Core
    precision: str
    model: ov.Model | None
    """Until it is compiled: before, it takes no memory but its weights'."""
    weights: Sequence[MappedWeights]
    natively: bool
    """Whether its convolutions are ours, which read the weights where they are mapped."""
    _compiled: ov.CompiledModel | None = None
    _turn: tuple[ov.InferRequest, np.ndarray] | None = None
    """While it has the working memory: its request, and the window that goes in."""
    _scratch: np.ndarray | None = None

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """Logits, float32; window after window, since a batch gains nothing on a CPU."""
        self.turns.give_turn(self)
        with memory_told():
            return window_by_window(self._infer, batch_ncxyz)

    def _infer(self, window_ncxyz: np.ndarray) -> np.ndarray:
        if self._turn is None:
            self._turn = out_of_signals_way(lambda: self._begin(window_ncxyz.shape))
        request, input_ncxyz = self._turn
        _copy(window_ncxyz, input_ncxyz)
        # In a thread of OpenVINO's, out of signals' way as well
        request.start_async()
        request.wait()
        return request.get_output_tensor(0).data

    def compile(self) -> ov.CompiledModel:
        """The network as this processor runs it; compiled once."""
        if self._compiled is None:
            # One request at a time has all cores; the chip's own choice of precision is not ours
            precision = PRECISIONS[self.precision]
            options: dict[str, object] = {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": precision,
            }
            if self.natively:
                # Threads begun by one that is tied to a core would share that core
                options["ENABLE_CPU_PINNING"] = False
            assert self.model is not None, "it goes when it is compiled"
            self._compiled = self.core.compile_model(self.model, "CPU", options)
            self.model = None
            # They are packed now
            for weights in self.weights:
                weights.forget()
            give_freed_memory_back()
        return self._compiled

    def _begin(self, shape: tuple[int, ...]) -> tuple[ov.InferRequest, np.ndarray]:
        request = self.compile().create_infer_request()
        input_ncxyz = np.empty(shape, dtype=np.float32)
        request.set_input_tensor(ov.Tensor(input_ncxyz, shared_memory=True))
        return request, input_ncxyz

    def scratch(self, shape: tuple[int, ...]) -> np.ndarray:
        """Zeros for a result; they are the same array at every call, until another network has its turn."""
        if self._scratch is None or self._scratch.shape != shape:
            self._scratch = np.empty(shape, dtype=np.float32)
        self._scratch[...] = 0
        return self._scratch

    def rest(self) -> None:
        """Keep the packed weights alone."""
        self._turn = self._scratch = None
        if self._compiled is not None:
            self._compiled.release_memory()
            give_freed_memory_back()


def window_by_window(run: Callable[[np.ndarray], np.ndarray], batch_ncxyz: np.ndarray) -> np.ndarray:
    """What is said of each window of a batch; what is said of one stands until the next."""
    if len(batch_ncxyz) == 1:
        return run(batch_ncxyz)
    return np.concatenate([run(window_ncxyz[None]).copy() for window_ncxyz in batch_ncxyz])


def _copy(window_ncxyz: np.ndarray, input_ncxyz: np.ndarray) -> None:
    """In a few threads: a mirrored window is read against the order in which it lies."""

    def copy_slice(x: int) -> None:
        input_ncxyz[:, :, x] = window_ncxyz[:, :, x]

    in_threads(copy_slice, range(window_ncxyz.shape[2]))


@contextmanager
def memory_told() -> Generator[None, None, None]:
    """Tell a lack of memory as such."""
    try:
        yield
    except RuntimeError as error:
        if any(words in str(error) for words in OUT_OF_MEMORY):
            raise DeviceMemoryError(str(error)) from error
        raise
