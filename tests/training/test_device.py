import pytest
import torch

from segcube.core import EnvironmentFault, UsageError
from segcube.training import device


@pytest.fixture
def cpu_with(tmp_path, monkeypatch):
    """Set what Linux reports of the processor."""

    def report(lines):
        file = tmp_path / "cpuinfo"
        file.write_text(lines)
        monkeypatch.setattr(device, "CPU_INFO", file)

    return report


@pytest.mark.parametrize(
    ("lines", "wanted", "expected"),
    [
        ("processor : 0\nflags : avx2 avx512_bf16\n", "bf16", "bf16"),
        ("Features : asimd bf16\n", "bf16", "bf16"),
        ("flags : avx2\n", "bf16", "fp32"),
        ("flags : avx512_bf16\n", "fp16", "fp32"),
    ],
)
def test_a_cpu_computes_in_fp32_what_it_would_emulate(lines, wanted, expected, cpu_with):
    cpu_with(lines)
    assert device.step_precision(wanted, torch.device("cpu")) == expected


def test_a_gpu_keeps_the_recipes_precision(cpu_with):
    cpu_with("flags : avx2\n")
    assert device.step_precision("fp16", torch.device("cuda", 0)) == "fp16"


def test_unknown_devices_are_refused():
    with pytest.raises(UsageError, match="auto, cpu, cuda or cuda:N"):
        device.open_device("gpu")
    with pytest.raises(EnvironmentFault, match="GPUs are visible"):
        device.open_device("cuda:99")
