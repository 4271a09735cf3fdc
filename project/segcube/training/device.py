"""The device of a training, and how exactly it computes."""

from __future__ import annotations

import torch

from segcube.core import EnvironmentFault, UsageError, cpu_count


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
