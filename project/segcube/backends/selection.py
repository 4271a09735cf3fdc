"""Choose the device, the precision and the backend of a run, with the reason."""

from __future__ import annotations

import ctypes
import importlib.util
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from segcube.backends.memory import keep_freed_memory
from segcube.backends.native.installed import FAILED_SELFTEST, find_kernels
from segcube.backends.openvino.graphs import NoGraphs
from segcube.backends.protocol import Backend
from segcube.core import (
    Compile,
    EnvironmentFault,
    RunSettings,
    UsageError,
    can_start_thread,
    limit_threads,
    naming_missing_packages,
)
from segcube.spec.submission import LoadedSubmission

DRIVER_FILES = tuple(
    Path(file) for file in ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/nvmap", "/dev/dxg")
)
"""They exist where a GPU does: servers, boards, Windows. To import torch for the answer takes seconds."""
DRIVER = "libcuda.so.1"
WITHOUT_TORCH = "a CPU runs a submission without torch once `segcube compile` compiled it"


@dataclass(frozen=True)
class Choice:
    """Where a run computes, and why."""

    device: str
    backend: str
    precision: str
    why: str


def open_backend(settings: RunSettings, loaded: LoadedSubmission, log: Callable[[str], None]) -> Backend:
    """Open the backend that the settings select.

    device auto takes the first CUDA device where one is visible and the CPU where none is; backend auto takes
    OpenVINO on a CPU where it is installed. log: receives what had to be done otherwise. Raises
    EnvironmentFault for a requested or visible device or backend that cannot be used; UsageError for one that
    does not run on the device. From now on this process computes with at most `settings.threads` threads.
    """
    limit_threads(settings.threads)
    choice = choose_backend(settings)
    if choice.device != "cpu":
        return _cuda(choice.device, choice.precision, settings.compile, log)
    # Before the first case: it raises for a SEGCUBE_KERNELS that cannot be used
    if find_kernels() == FAILED_SELFTEST:
        log(f"the native kernels are not used: {FAILED_SELFTEST}")
    if choice.backend == "openvino":
        return _openvino(settings, loaded, choice, log)
    return _torch_cpu(choice.precision, choice.why, "" if settings.backend == "torch" else WITHOUT_TORCH)


def choose_backend(settings: RunSettings) -> Choice:
    """The device, backend and precision that the settings mean on this machine; nothing is opened.

    Raises UsageError for a backend that does not run on the device.
    """
    device, why = _choose_device(settings)
    if device != "cpu":
        if settings.backend == "openvino":
            raise UsageError(f"backend openvino on {device}", expected="a CPU", hint="use --backend torch")
        return Choice(device, "torch", "fp16" if settings.precision == "auto" else settings.precision, why)
    precision = "fp32" if settings.precision == "auto" else settings.precision
    against = "" if settings.backend == "torch" else _why_not_openvino()
    if settings.backend == "openvino" or (settings.backend == "auto" and not against):
        return Choice(device, "openvino", precision, why)
    return Choice(device, "torch", precision, f"{why}; {against}" if against else why)


def cpu_fallback() -> Backend:
    """The CPU, for a case that does not fit on the device."""
    return _torch_cpu("fp32", "the device has too little memory")


def _choose_device(settings: RunSettings) -> tuple[str, str]:
    if settings.device == "cpu":
        return "cpu", "cpu as requested"
    if settings.device != "auto":
        return settings.device, ""
    if settings.backend == "openvino":
        return "cpu", "cpu, as backend openvino requires"
    if any(file.exists() for file in DRIVER_FILES):
        return "auto", ""
    return "cpu", "cpu: no GPU is visible"


def _why_not_openvino() -> str:
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed"
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        # OpenVINO's threads deadlock if one of them gets no memory
        return "no openvino under ulimit -v"
    return ""


def _openvino(
    settings: RunSettings, loaded: LoadedSubmission, choice: Choice, log: Callable[[str], None]
) -> Backend:
    try:
        from segcube.backends.openvino.backend import open_openvino

        return open_openvino(loaded, choice.precision, choice.why, log)
    except (ImportError, NoGraphs) as error:
        if settings.backend == "openvino":
            raise EnvironmentFault(
                f"backend openvino cannot be used: {error}", file=loaded.folder, hint="use --backend torch"
            ) from error
        log(f"{error}; on torch instead, which takes longer")
        return _torch_cpu(choice.precision, choice.why, WITHOUT_TORCH)


def _cuda(asked: str, precision: str, compiling: Compile, log: Callable[[str], None]) -> Backend:
    create_cuda_context(asked)
    with naming_missing_packages("device cpu runs a compiled submission without torch"):
        from segcube.backends.cuda.backend import open_cuda

    return open_cuda(asked, precision, compiling, log)


def _torch_cpu(precision: str, why: str, without_torch: str = "") -> Backend:
    with naming_missing_packages(without_torch):
        from segcube.backends.torch_cpu import on_cpu

    # torch allocates for every layer, OpenVINO once
    keep_freed_memory()
    return on_cpu(precision, why)


def create_cuda_context(device: str) -> None:
    """Create a device's context in a thread while torch, which then uses it, is still being imported.

    device: cuda, cuda:N, or auto for the first. Failures are ignored: torch reports them later.
    """
    _, _, number = device.partition(":")
    if can_start_thread():
        with suppress(RuntimeError, MemoryError):
            Thread(target=_retain_context, args=(int(number or 0),), name="cuda-context", daemon=True).start()


def _retain_context(number: int) -> None:
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL(DRIVER)
        handle, context = ctypes.c_int(), ctypes.c_void_p()
        if driver.cuInit(0) == 0 and driver.cuDeviceGet(ctypes.byref(handle), number) == 0:
            driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), handle)
