"""Choose the device, the precision and the backend of a run, and say why."""

from __future__ import annotations

from pathlib import Path

import torch

from segcube.errors import EnvironmentFault
from segcube.predict.backend import Backend
from segcube.predict.malloc import keep_freed_memory
from segcube.predict.torch_backend import TorchBackend
from segcube.settings import RunSettings

DRIVER_FILES = (Path("/dev/nvidiactl"), Path("/proc/driver/nvidia/version"), Path("/dev/dxg"))


def open_backend(settings: RunSettings) -> Backend:
    """The backend that the settings ask for, ready to load networks.

    auto takes the first CUDA device where there is one and the CPU where there is none. Raises
    EnvironmentFault for a device that was asked for, or is visible, and cannot be used.
    """
    if settings.backend == "openvino":
        raise EnvironmentFault(
            "backend openvino is not in this version",
            expected="backend auto or torch",
            mend="use --backend torch",
        )
    device, why = _choose_device(settings.device)
    precision = _choose_precision(settings.precision, device)
    if device == "cpu":
        keep_freed_memory()
    else:
        # The same input gives the same bytes: no kernel chosen by the clock, no fp32 of 10 bits
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
    return TorchBackend(device, precision, f"{why}; torch {torch.__version__}, {precision}")


def cpu_instead() -> Backend:
    """The CPU, for a case that the device has no memory for."""
    keep_freed_memory()
    return TorchBackend("cpu", "fp32", "the device has too little memory")


def _choose_device(asked: str) -> tuple[str, str]:
    if asked == "cpu":
        return "cpu", "cpu as asked"
    if asked == "auto" and not _gpu_is_visible():
        return "cpu", "cpu: no GPU is visible"
    device = "cuda:0" if asked in ("auto", "cuda") else asked
    _try_device(device, asked)
    return device, f"{device} ({torch.cuda.get_device_name(device)})"


def _gpu_is_visible() -> bool:
    return torch.cuda.device_count() > 0 or any(file.exists() for file in DRIVER_FILES)


def _try_device(device: str, asked: str) -> None:
    """Run a kernel: drivers and architectures that do not fit fail here, not in the middle of a case."""
    mend = "mend the driver or the image, or run on the CPU with --device cpu"
    if torch.version.cuda is None:
        raise EnvironmentFault(
            f"{device} (asked: {asked}): this torch has no CUDA", expected="a CUDA build", mend=mend
        )
    try:
        torch.ones(1, device=device).add_(1).item()
    except (RuntimeError, AssertionError) as error:
        first_line = str(error).strip().splitlines()[0]
        built = " ".join(torch.cuda.get_arch_list()) or "no GPU"
        raise EnvironmentFault(
            f"{device} (asked: {asked}) cannot be used: {first_line}",
            expected=f"a driver for CUDA {torch.version.cuda} and an architecture of {built}",
            mend=mend,
        ) from error


def _choose_precision(asked: str, device: str) -> str:
    if asked != "auto":
        return asked
    return "fp32" if device == "cpu" else "fp16"
