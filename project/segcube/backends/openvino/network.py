"""A compiled OpenVINO graph with its working memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov

from segcube.backends.memory import give_freed_memory_back, out_of_memory_errors
from segcube.backends.openvino.mapped import MappedWeights
from segcube.core import for_each_in_threads, reduced_cpu_count

PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}


@dataclass(eq=False)
class OpenVINONetwork:
    """A compiled graph of one window, of one member or a sum of several."""

    activate: Callable[[OpenVINONetwork], None]
    """Frees the working memory of every other network of the backend."""
    core: ov.Core
    precision: str
    model: ov.Model | None
    """Until it is compiled; until then it needs no memory beside its weights."""
    weights: Sequence[MappedWeights]
    _compiled: ov.CompiledModel | None = None
    _request: tuple[ov.InferRequest, np.ndarray] | None = None
    """While it is active: its request, and the array of its input window."""

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """Logits, float32; window after window, since a batch gains nothing on a CPU."""
        self.activate(self)
        with out_of_memory_errors():
            if len(batch_ncxyz) == 1:
                return self._infer(batch_ncxyz)
            return np.concatenate([self._infer(window_ncxyz[None]).copy() for window_ncxyz in batch_ncxyz])

    def _infer(self, window_ncxyz: np.ndarray) -> np.ndarray:
        if self._request is None:
            self._request = self._begin(window_ncxyz.shape)
        request, input_ncxyz = self._request
        copy_window(window_ncxyz, input_ncxyz)
        # Runs in a thread of OpenVINO, which may pin it to a core
        request.start_async()
        request.wait()
        return request.get_output_tensor(0).data

    def compile(self) -> ov.CompiledModel:
        """The network as this processor runs it; compiled once."""
        if self._compiled is None:
            assert self.model is not None, "kept until it is compiled"
            self._compiled = compile_model(self.core, self.model, self.precision)
            self.model = None
            # OpenVINO holds packed copies now
            for weights in self.weights:
                weights.forget()
            give_freed_memory_back()
        return self._compiled

    def _begin(self, shape: tuple[int, ...]) -> tuple[ov.InferRequest, np.ndarray]:
        request = self.compile().create_infer_request()
        input_ncxyz = np.empty(shape, dtype=np.float32)
        request.set_input_tensor(ov.Tensor(input_ncxyz, shared_memory=True))
        return request, input_ncxyz

    def free_working_memory(self) -> None:
        """Free everything but the packed weights."""
        self._request = None
        if self._compiled is not None:
            self._compiled.release_memory()
            give_freed_memory_back()


def compile_model(core: ov.Core, model: ov.Model, precision: str, *, pinned: bool = True) -> ov.CompiledModel:
    """Compile a graph for one request at a time on all cores.

    pinned: whether each of OpenVINO's threads may stay on a core.
    """
    options: dict[str, object] = {
        # Without the hint OpenVINO chooses a precision by processor
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
    }
    if (threads := reduced_cpu_count()) is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    if not pinned:
        options["ENABLE_CPU_PINNING"] = False
    return core.compile_model(model, "CPU", options)


def copy_window(window_ncxyz: np.ndarray, input_ncxyz: np.ndarray) -> None:
    """Copy in several threads: a mirrored window is read against its order in memory."""

    def copy_slice(x: int) -> None:
        input_ncxyz[:, :, x] = window_ncxyz[:, :, x]

    for_each_in_threads(copy_slice, range(window_ncxyz.shape[2]))
