"""torch on a CUDA device: networks prepared for it, forwards captured, transfers pinned."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from segcube.backends.cuda.captures import Captures
from segcube.backends.cuda.networks import Preparation, Resident
from segcube.backends.fit import check_member
from segcube.backends.memory import DeviceMemoryError, out_of_memory_errors
from segcube.backends.torch_cpu import DTYPES, selftest_window
from segcube.core import Compile, EnvironmentFault, Shape
from segcube.networks import load_network
from segcube.spec.submission import MemberFile

FIX = "fix the driver or the image, or run on the CPU with --device cpu"


@dataclass
class CudaBackend:
    """Networks under autocast; arrays are torch tensors on the device.

    Every member's weights stay there while they fit. If they do not, only the current network's do, and the
    others are read again when they run.
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
        """None: if weights do not fit together, each window would read all of them again."""

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """A copy on the device; the host does not wait for it."""
        with self._on_device():
            host = torch.from_numpy(np.ascontiguousarray(array)).pin_memory()
            return host.to(self.device, non_blocking=True)

    def zeros(self, channels: int, shape: Shape) -> torch.Tensor:
        with self._on_device():
            return torch.zeros((channels, *shape), device=self.device)

    def download(self, array: torch.Tensor) -> np.ndarray:
        with self._on_device():
            host = torch.empty(array.shape, dtype=array.dtype, pin_memory=True)
            host.copy_(array, non_blocking=True)
            torch.cuda.current_stream().synchronize()
        return host.numpy()

    def release(self) -> None:
        """Give back the memory of captured forwards and cached blocks."""
        self.captures.drop()
        torch.cuda.empty_cache()

    def in_fp32(self) -> CudaBackend:
        """The same device in fp32; weights are read again, once."""
        return replace(self, precision="fp32", reason="half precision overflowed")

    def forward(self, member: MemberFile, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits of a batch, float32. Raises DeviceMemoryError."""
        resident, dtype = self._resident(member), DTYPES[self.precision]
        half = dtype != torch.float32
        with (
            self._on_device(),
            torch.inference_mode(),
            torch.autocast("cuda", dtype, half, cache_enabled=False),
        ):
            return self.captures.run((member, self.precision), resident, batch_ncxyz)

    def can_make_room(self, windows: int) -> bool:
        """Whether memory can be freed for a forward of so many windows without a smaller batch."""
        return bool(self.captures.graphs) or (windows == 1 and len(self.residents) > 1)

    def make_room(self, member: MemberFile) -> None:
        """Free the captured forwards, or else the weights of the other networks."""
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
        preparation = Preparation(self.device, DTYPES[self.precision], self.log)
        with self._on_device():
            window_ncxyz = selftest_window(member.channels, member.window).to(self.device)
            return preparation.prepare_checked(lambda: load_network(member.file, member.sha256), window_ncxyz)

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
    def _on_device(self) -> Generator[None, None, None]:
        """Make the device torch's current one, and raise DeviceMemoryError if it lacks memory."""
        with out_of_memory_errors(), torch.cuda.device(self.device):
            yield


@dataclass(frozen=True)
class CudaNetwork:
    """A member's network; its weights are read again if they had to leave the device."""

    backend: CudaBackend
    member: MemberFile

    def __call__(self, batch_ncxyz: torch.Tensor) -> torch.Tensor:
        """Logits, float32; frees what can be freed before DeviceMemoryError is raised."""
        try:
            return self.backend.forward(self.member, batch_ncxyz)
        except DeviceMemoryError:
            if not self.backend.can_make_room(len(batch_ncxyz)):
                raise
        # Outside of the handler, which keeps the layers' results alive
        self.backend.make_room(self.member)
        return self(batch_ncxyz)


def open_cuda(asked: str, precision: str, compiling: Compile, log: Callable[[str], None]) -> CudaBackend:
    """The device that was asked for, cuda or cuda:N; auto takes the first.

    log: receives what had to be done otherwise. Raises EnvironmentFault where the device cannot be used.
    """
    device = "cuda:0" if asked in ("auto", "cuda") else asked
    _try_device(device, asked)
    # The same input gives the same bytes: no kernel chosen by the clock, no fp32 of 10 bits
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    why = f"{device} ({torch.cuda.get_device_name(device)}); torch {torch.__version__}, {precision}"
    return CudaBackend(device, precision, why, log, Captures(compiling, log))


def _try_device(device: str, asked: str) -> None:
    """Run a kernel: drivers and architectures that do not fit fail here, not in the middle of a case."""
    if torch.version.cuda is None:
        raise EnvironmentFault(
            f"{device} (asked: {asked}): this torch has no CUDA", expected="a CUDA build", hint=FIX
        )
    try:
        torch.ones(1, device=device).add_(1).item()
    except (RuntimeError, AssertionError) as error:
        first_line = str(error).strip().splitlines()[0]
        built = " ".join(torch.cuda.get_arch_list()) or "no GPU"
        raise EnvironmentFault(
            f"{device} (asked: {asked}) cannot be used: {first_line}",
            expected=f"a driver for CUDA {torch.version.cuda} and an architecture of {built}",
            hint=FIX,
        ) from error
