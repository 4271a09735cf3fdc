"""The machine that was measured, in words."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from versus.contestants import ORACLE, PUBLISHED
from versus.models import run_quietly

OURS = ("segcube", "torch", "openvino", "numpy")
THEIRS = ("nnunetv2", "monai", "torch", "numpy")
ASK = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
import torch
seen = torch.cuda.is_available()
print(json.dumps({"gpu": torch.cuda.get_device_name(0) if seen else "", "python": sys.version.split()[0],
    "threads": torch.get_num_threads(), "versions": {name: version(name) for name in sys.argv[1:]}}))
"""


@dataclass(frozen=True)
class Machine:
    """Processor, memory, GPU and versions."""

    processor: str
    cores: int
    """That this process may use."""
    memory_gb: float
    has_bf16: bool
    """The processor multiplies bfloat16."""
    bf16_by: tuple[str, ...]
    gpu: str
    """Empty where published code's torch sees none."""
    system: str
    published: Mapping[str, str]
    """Versions in the environment of published code."""
    ours: Mapping[str, str]
    products: float
    """Multiply-adds a second of torch's product of two large matrices in fp32, in 1e9."""

    def told(self) -> str:
        """In a sentence or two."""
        bf16 = f" ({', '.join(self.bf16_by)})" if self.bf16_by else ", no bfloat16"
        gpu = f", {self.gpu}" if self.gpu else ", no GPU"
        theirs, ours = (
            ", ".join(f"{name} {number}" for name, number in found.items())
            for found in (self.published, self.ours)
        )
        return (
            f"{self.processor}{bf16}, {self.cores} cores, {self.memory_gb:.0f} GB{gpu}; {self.system}. "
            f"Published code: {theirs}. segcube: {ours}."
        )


def look_around() -> Machine:
    """Describe this machine; imports torch in the other environment, not here."""
    cpu = _cpu_info()
    found = json.loads(run_quietly([ORACLE, "-c", ASK, *THEIRS]))
    flags = set(cpu.get("flags", "").split())
    by = tuple(flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags)
    numbers = [
        f"{name} {cpu[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in cpu
    ]
    return Machine(
        processor=" ".join([cpu.get("model name", platform.machine()), *numbers]),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9,
        has_bf16=bool(by),
        bf16_by=by,
        gpu=found["gpu"],
        system=f"Linux {platform.release().split('-')[0]}, {' '.join(platform.libc_ver())}",
        published={"Python": found["python"], **found["versions"]},
        ours={"Python": platform.python_version(), **_versions()},
        products=float(run_quietly([ORACLE, PUBLISHED / "product_rate.py"])),
    )


def _cpu_info() -> dict[str, str]:
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _versions() -> dict[str, str]:
    """Of what is installed here; a GPU needs no openvino."""
    found = {}
    for name in OURS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
