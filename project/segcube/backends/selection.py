"""Choose the device, the precision and the backend of a run, and say why."""

from __future__ import annotations

import importlib.util
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segcube.backends.cuda.selection import wake
from segcube.backends.malloc import keep_freed_memory
from segcube.backends.openvino.graphs import NoGraphs
from segcube.backends.protocol import Backend
from segcube.core import Compile, EnvironmentFault, RunSettings, UsageError
from segcube.spec.submission import LoadedSubmission

DRIVER_FILES = tuple(
    Path(file) for file in ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/nvmap", "/dev/dxg")
)
"""A GPU's, of servers, boards and Windows; asking torch instead would take seconds."""


@dataclass(frozen=True)
class Choice:
    """Where a run is going to compute, and why there."""

    device: str
    backend: str
    precision: str
    why: str


def open_backend(settings: RunSettings, loaded: LoadedSubmission, log: Callable[[str], None]) -> Backend:
    """The backend that the settings ask for, ready to load the submission's networks.

    device auto takes the first CUDA device where one is visible and the CPU where none is; backend auto takes
    OpenVINO on a CPU where it is installed. tell: told what had to be done otherwise. Raises EnvironmentFault
    for a device or backend that was asked for, or is visible, and cannot be used; UsageError for one that
    does not run on the device.
    """
    choice = choose_backend(settings)
    if choice.device != "cpu":
        return _cuda(choice.device, choice.precision, settings.compile, log)
    if choice.backend == "openvino":
        return _openvino(settings, loaded, choice.precision, choice.why, log)
    return _torch_cpu(choice.precision, choice.why)


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
    against = "" if settings.backend == "torch" else _what_keeps_openvino_out()
    if settings.backend == "openvino" or (settings.backend == "auto" and not against):
        return Choice(device, "openvino", precision, why)
    return Choice(device, "torch", precision, f"{why}; {against}" if against else why)


def cpu_instead() -> Backend:
    """The CPU, for a case that the device has no memory for."""
    return _torch_cpu("fp32", "the device has too little memory")


def _choose_device(settings: RunSettings) -> tuple[str, str]:
    if settings.device == "cpu":
        return "cpu", "cpu as asked"
    if settings.device != "auto":
        return settings.device, ""
    if settings.backend == "openvino":
        return "cpu", "cpu, as backend openvino asks"
    if any(file.exists() for file in DRIVER_FILES):
        return "auto", ""
    return "cpu", "cpu: no GPU is visible"


def _what_keeps_openvino_out() -> str:
    if importlib.util.find_spec("openvino") is None:
        return "openvino is not installed"
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        # Its threads wait for each other for ever when one of them gets no memory
        return "no openvino under ulimit -v"
    return ""


def _openvino(
    settings: RunSettings,
    loaded: LoadedSubmission,
    precision: str,
    why: str,
    log: Callable[[str], None],
) -> Backend:
    try:
        from segcube.backends.openvino.selftest import open_openvino

        return open_openvino(loaded, precision, why, log)
    except (ImportError, NoGraphs) as error:
        if settings.backend == "openvino":
            raise EnvironmentFault(
                f"backend openvino cannot be used: {error}", file=loaded.folder, hint="use --backend torch"
            ) from error
        log(f"{error}; on torch instead, which takes longer")
        return _torch_cpu(precision, why)


def _cuda(asked: str, precision: str, compiling: Compile, log: Callable[[str], None]) -> Backend:
    wake(asked)
    from segcube.backends.cuda.selection import open_cuda

    return open_cuda(asked, precision, compiling, log)


def _torch_cpu(precision: str, why: str) -> Backend:
    from segcube.backends.torch_cpu import on_cpu

    # OpenVINO allots once what torch allots layer by layer
    keep_freed_memory()
    return on_cpu(precision, why)
