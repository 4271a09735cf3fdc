"""Wake a GPU while torch is still being imported: both take seconds, and neither needs the other."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import torch

from segcube.backends.cuda.backend import CudaBackend
from segcube.backends.cuda.captures import Captures
from segcube.core import Compile, EnvironmentFault, room_for_a_thread

FIX = "fix the driver or the image, or run on the CPU with --device cpu"


def open_cuda(asked: str, precision: str, compiling: Compile, log: Callable[[str], None]) -> CudaBackend:
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


DRIVER = "libcuda.so.1"


def wake(device: str) -> None:
    """Make a device's context in a thread, the one that torch then finds.

    device: cuda, cuda:N, or auto for the first. What fails is not told: torch will, in its own words.
    """
    _, _, number = device.partition(":")
    if room_for_a_thread():
        with suppress(RuntimeError, MemoryError):
            Thread(target=_keep_context, args=(int(number or 0),), name="wake", daemon=True).start()


def _keep_context(number: int) -> None:
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL(DRIVER)
        handle, context = ctypes.c_int(), ctypes.c_void_p()
        if driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(handle), number) == 0:
            driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), handle)
