"""torch on a CUDA device: networks made ready for it, forwards captured, transfers pinned."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from segcube.backends.cuda.captures import Captures
from segcube.backends.cuda.networks import Making, Resident
from segcube.backends.fit import check_member
from segcube.backends.protocol import DeviceMemoryError, MemberFile
from segcube.backends.selftest_window import selftest_window
from segcube.backends.torch_cpu import DTYPES, memory_told
from segcube.core import Shape
from segcube.networks import load_network


@dataclass
class CudaBackend:
    """Networks under autocast; arrays are torch tensors on the device.

    Every member's weights stay there while they fit. Where they do not, the network whose turn it is has the
    room, and the others are read again at theirs.
    """

    device: str
    precision: str
    reason: str
    log: Callable[[str], None]
    captures: Captures
    name: str = "torch"
    residents: dict[tuple[MemberFile, str], Resident] = field(default_factory=dict)
    """By member and precision."""
    tight: bool = False
    """The weights did not fit together."""
    _read_once: set[MemberFile] = field(default_factory=set[MemberFile])

    def load(self, member: MemberFile) -> CudaNetwork:
        """The network of a weights file; read once, then kept while there is room."""
        if member not in self._read_once:
            self._resident(member)
            self._read_once.add(member)
        return CudaNetwork(self, member)

    def join(self, members: Sequence[MemberFile], weight_mk: np.ndarray) -> None:
        """None: where weights are read in turn, each window would ask for all of them."""

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """A copy on the device; the host does not wait for it."""
        with self._at_work():
            host = torch.from_numpy(np.ascontiguousarray(array)).pin_memory()
            return host.to(self.device, non_blocking=True)

    def zeros(self, channels: int, shape: Shape) -> torch.Tensor:
        """A float32 accumulator on the device."""
        with self._at_work():
            return torch.zeros((channels, *shape), device=self.device)

    def download(self, array: torch.Tensor) -> np.ndarray:
        """The array on the host."""
        with self._at_work():
            host = torch.empty(array.shape, dtype=array.dtype, pin_memory=True)
            host.copy_(array, non_blocking=True)
            torch.cuda.current_stream().synchronize()
        return host.numpy()

    def release(self) -> None:
        """Give back the memory of captured forwards and cached blocks."""
        self.captures.drop()
        torch.cuda.empty_cache()

    def in_full_precision(self) -> CudaBackend:
        """The same device in fp32; weights are read again, once."""
        return replace(self, precision="fp32", reason="half precision overflowed")

    def forward(self, member: MemberFile, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits of a batch, float32. Raises DeviceMemoryError."""
        resident, dtype = self._resident(member), DTYPES[self.precision]
        half = dtype != torch.float32
        with (
            self._at_work(),
            torch.inference_mode(),
            torch.autocast("cuda", dtype, half, cache_enabled=False),
        ):
            return self.captures.run((member, self.precision), resident, batch_ncxyz)

    def can_make_room(self, windows: int) -> bool:
        """Whether something else than a smaller batch can help a forward of so many windows."""
        return bool(self.captures.graphs) or (windows == 1 and len(self.residents) > 1)

    def make_room(self, member: MemberFile) -> None:
        """Let the captured forwards go, or else the weights of the other networks."""
        if self.captures.graphs:
            self.captures.stop("too little memory for both them and plain ones")
        else:
            self._tighten()
            self._keep(member)
        torch.cuda.empty_cache()

    def _resident(self, member: MemberFile) -> Resident:
        key = (member, self.precision)
        if key not in self.residents:
            if not self.tight:
                try:
                    self.residents[key] = self._read(member)
                    return self.residents[key]
                except DeviceMemoryError:
                    if not self.residents:
                        raise
                self._tighten()
            self._keep(member)
            self.residents[key] = self._read(member)
        return self.residents[key]

    def _read(self, member: MemberFile) -> Resident:
        check_member(member)
        making = Making(self.device, DTYPES[self.precision], self.log)
        with self._at_work():
            window_ncxyz = selftest_window(member.channels, member.window).to(self.device)
            return making.tried(lambda: load_network(member.file, member.sha256), window_ncxyz)

    def _tighten(self) -> None:
        self.tight = True
        self.log("too little memory for the weights of all members; from now on they are read in turn")

    def _keep(self, member: MemberFile) -> None:
        """Drop the weights of every other network, and first the graphs, which hold their addresses."""
        self.captures.drop()
        for key in [key for key in self.residents if key != (member, self.precision)]:
            del self.residents[key]
        torch.cuda.empty_cache()

    @contextmanager
    def _at_work(self) -> Generator[None, None, None]:
        """The device is torch's current one, and its lack of memory is told as such."""
        with memory_told(), torch.cuda.device(self.device):
            yield


@dataclass(frozen=True)
class CudaNetwork:
    """A member on the device, or on its way there."""

    backend: CudaBackend
    member: MemberFile

    def __call__(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits, float32; what can give way does so before memory counts as too little."""
        try:
            return self.backend.forward(self.member, batch_ncxyz)
        except DeviceMemoryError:
            if not self.backend.can_make_room(len(batch_ncxyz)):
                raise
        # Outside of the handler: what it holds of the layers' results is gone
        self.backend.make_room(self.member)
        return self(batch_ncxyz)
