"""OpenVINO on a CPU; neither torch nor MONAI is imported."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import openvino as ov

from segcube.backends.graphs import Compiled
from segcube.backends.malloc import give_freed_memory_back
from segcube.backends.mapped import MappedWeights, map_weights
from segcube.backends.members import MemberFile
from segcube.backends.native import native_kernels
from segcube.backends.native_graph import run_natively
from segcube.backends.norms import norm_exactly
from segcube.backends.openvino_models import read_model, split_concatenations, weighted_sum
from segcube.backends.protocol import DeviceMemoryError
from segcube.threads import on_all_cores, out_of_signals_way
from segcube.types import Shape

PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "could not create a memory", "Cannot allocate memory")
"""What OpenVINO and oneDNN say of a machine without memory; they have no error type for it."""


@dataclass
class OpenVINOBackend:
    """Compiled graphs on all cores; arrays are numpy's.

    Every member's packed weights stay, the working memory is one network's: whose turn it is has it.
    """

    compiled: Compiled
    precision: str
    reason: str
    name: str = "openvino"
    device: str = "cpu"
    networks: dict[Hashable, OpenVINONetwork] = field(default_factory=dict)
    """By member, or by the members of a sum and their weights."""
    core: ov.Core = field(default_factory=ov.Core)
    _running: OpenVINONetwork | None = None

    def load(self, member: MemberFile) -> OpenVINONetwork:
        """The network of a weights file by its graph; read and checked once, compiled when its turn comes.

        The first is compiled at once, while the first case is read.
        """
        return self._kept(member, lambda: self._network(*self._read(member)))

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> OpenVINONetwork | None:
        """One graph of all members: they share its working memory, and a window is cut and added once."""
        if len(members) == 1:
            return None
        return self._kept((*members, weight_mk.tobytes()), lambda: self._sum(members, weight_mk))

    def _kept(self, key: Hashable, make: Callable[[], OpenVINONetwork]) -> OpenVINONetwork:
        if key not in self.networks:
            with _memory_told():
                self.networks[key] = out_of_signals_way(lambda: self._made(make))
        return self.networks[key]

    def _made(self, make: Callable[[], OpenVINONetwork]) -> OpenVINONetwork:
        network = make()
        if not self.networks:
            network.compile()
        return network

    def _sum(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> OpenVINONetwork:
        read = [self._read(member) for member in members]
        model = weighted_sum([model for model, _ in read], weight_mk)
        return self._network(model, *(weights for _, weights in read))

    def _read(self, member: MemberFile) -> tuple[ov.Model, MappedWeights]:
        weights = map_weights(member.file, member.sha256)
        return read_model(self.core, self.compiled.read(member), weights, member), weights

    def _network(self, model: ov.Model, *weights: MappedWeights) -> OpenVINONetwork:
        # In bfloat16 the chip's own kernels are faster, and sums would be rounded once more
        natively = self.precision == "fp32" and run_natively(model, native_kernels())
        if self.precision == "fp32":
            split_concatenations(model)
            norm_exactly(model)
        return OpenVINONetwork(self, model, weights, natively)

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


@dataclass(eq=False)
class OpenVINONetwork:
    """A compiled graph of one window, of one member or a sum of several."""

    backend: OpenVINOBackend
    model: ov.Model | None
    """Until it is compiled: before, it takes no memory but its weights'."""
    weights: tuple[MappedWeights, ...]
    natively: bool
    """Whether its convolutions are ours, which read the weights where they are mapped."""
    _compiled: ov.CompiledModel | None = None
    _turn: tuple[ov.InferRequest, np.ndarray] | None = None
    """While it has the working memory: its request, and the window that goes in."""

    def __call__(self, batch_ncxyz: np.ndarray) -> np.ndarray:
        """Logits, float32; window after window, since a batch gains nothing on a CPU."""
        self.backend.give_turn(self)
        with _memory_told():
            if len(batch_ncxyz) == 1:
                return self._infer(batch_ncxyz)
            return np.concatenate([self._infer(window_ncxyz[None]).copy() for window_ncxyz in batch_ncxyz])

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
            precision = PRECISIONS[self.backend.precision]
            options: dict[str, object] = {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": precision,
            }
            if self.natively:
                # Threads begun by one that is tied to a core would share that core
                options["ENABLE_CPU_PINNING"] = False
            assert self.model is not None, "it goes when it is compiled"
            self._compiled = self.backend.core.compile_model(self.model, "CPU", options)
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

    def rest(self) -> None:
        """Keep the packed weights alone."""
        self._turn = None
        if self._compiled is not None:
            self._compiled.release_memory()
            give_freed_memory_back()


def _copy(window_ncxyz: np.ndarray, input_ncxyz: np.ndarray) -> None:
    """On all cores: a mirrored window is read against the order in which it lies."""

    def copy_slice(x: int) -> None:
        input_ncxyz[:, :, x] = window_ncxyz[:, :, x]

    on_all_cores(copy_slice, range(window_ncxyz.shape[2]))


@contextmanager
def _memory_told() -> Generator[None, None, None]:
    try:
        yield
    except RuntimeError as error:
        if any(words in str(error) for words in OUT_OF_MEMORY):
            raise DeviceMemoryError(str(error)) from error
        raise
