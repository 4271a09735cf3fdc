"""The device of a training, and how exactly it computes."""

from __future__ import annotations

from pathlib import Path

import torch

from segcube.core import LOG, EnvironmentFault, UsageError, cpu_count
from segcube.training.recipes import TrainingPrecision

CPU_INFO = Path("/proc/cpuinfo")
BF16_FLAGS = frozenset(("amx_bf16", "avx512_bf16", "bf16"))
"""Of x86 and ARM processors with instructions for bf16."""


def open_device(name: str = "auto") -> torch.device:
    """Return a device by its name: auto, cpu, cuda or cuda:N; auto is the first GPU, if there is one.

    Raises UsageError for another name, EnvironmentFault for a GPU that does not exist.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and (kind == "cpu" or not number.isdecimal())):
        raise UsageError(f"device {name!r}", expected="auto, cpu, cuda or cuda:N")
    if kind == "cpu":
        return torch.device("cpu")
    count, index = torch.cuda.device_count(), int(number or 0)
    if index >= count:
        raise EnvironmentFault(
            f"device {name}: {count} GPUs are visible",
            expected="one of them, or cpu",
            hint="see segcube doctor",
        )
    return torch.device("cuda", index)


def step_precision(wanted: TrainingPrecision, device: torch.device) -> TrainingPrecision:
    """Return the precision of a recipe's forward pass on a device: fp32 where a CPU would emulate another.

    An emulated step takes about thirty times as long.
    """
    if device.type != "cpu" or wanted == "fp32" or (wanted == "bf16" and has_bf16()):
        return wanted
    LOG.info("precision fp32 in place of %s, which this CPU has no instructions for", wanted)
    return "fp32"


def has_bf16() -> bool:
    """Return whether the CPU has instructions for bf16, as far as Linux reports them."""
    if not CPU_INFO.is_file():
        return False
    lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return not BF16_FLAGS.isdisjoint(flags.split())


def set_exactness(device: torch.device, *, exact: bool) -> None:
    """Choose between fast kernels and deterministic ones, for the whole process.

    Without `exact`, cuDNN chooses the fastest kernel of each shape, and float32 convolutions and products use
    TF32. With it, all kernels are deterministic and float32 is complete: steps are equal to the bit on one
    kind of GPU with the same versions. A CPU's are, for the same number of threads, in any case.
    """
    torch.set_num_threads(cpu_count())
    torch.backends.cudnn.benchmark = not exact
    torch.backends.cudnn.deterministic = exact
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cuda.matmul.allow_tf32 = not exact
    if device.type == "cuda":
        # An operation without a deterministic kernel is reported, and the training goes on
        torch.use_deterministic_algorithms(exact, warn_only=True)
