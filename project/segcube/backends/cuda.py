"""Open a CUDA device, tried before the first case."""

from __future__ import annotations

from collections.abc import Callable

import torch

from segcube.backends.cuda_backend import CudaBackend
from segcube.backends.cuda_captures import Captures
from segcube.choices import Compile
from segcube.errors import EnvironmentFault

MEND = "mend the driver or the image, or run on the CPU with --device cpu"


def open_cuda(asked: str, precision: str, compiling: Compile, tell: Callable[[str], None]) -> CudaBackend:
    """The device that was asked for, cuda or cuda:N; auto takes the first.

    tell: told what had to be done otherwise. Raises EnvironmentFault where the device cannot be used.
    """
    device = "cuda:0" if asked in ("auto", "cuda") else asked
    _try_device(device, asked)
    # The same input gives the same bytes: no kernel chosen by the clock, no fp32 of 10 bits
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    why = f"{device} ({torch.cuda.get_device_name(device)}); torch {torch.__version__}, {precision}"
    return CudaBackend(device, precision, why, tell, Captures(compiling, tell))


def _try_device(device: str, asked: str) -> None:
    """Run a kernel: drivers and architectures that do not fit fail here, not in the middle of a case."""
    if torch.version.cuda is None:
        raise EnvironmentFault(
            f"{device} (asked: {asked}): this torch has no CUDA", expected="a CUDA build", mend=MEND
        )
    try:
        torch.ones(1, device=device).add_(1).item()
    except (RuntimeError, AssertionError) as error:
        first_line = str(error).strip().splitlines()[0]
        built = " ".join(torch.cuda.get_arch_list()) or "no GPU"
        raise EnvironmentFault(
            f"{device} (asked: {asked}) cannot be used: {first_line}",
            expected=f"a driver for CUDA {torch.version.cuda} and an architecture of {built}",
            mend=MEND,
        ) from error
