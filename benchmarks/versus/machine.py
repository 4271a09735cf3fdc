"""The description of the measured machine."""

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
from versus.inputs import run_quietly

INSTALLED = ("segcube", "torch", "openvino", "numpy")
PUBLISHED_LIBRARIES = ("nnunetv2", "monai", "torch", "numpy")
QUERY = """
import json, sys
from importlib.metadata import version
import torch
gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
versions = {"Python": sys.version.split()[0]} | {name: version(name) for name in sys.argv[1:]}
print(json.dumps({"gpu": gpu, "versions": versions}))
"""


@dataclass(frozen=True)
class Machine:
    """What the benchmark and its report depend on."""

    text: str
    """Processor, memory, GPU and versions of libraries, in three sentences."""
    has_bf16: bool
    """Whether the CPU has bfloat16 instructions."""
    gpu: str
    """Empty without one, for published code's torch."""
    products: float
    """Multiply-adds a second of torch's product of two large matrices in fp32, in 1e9."""


def describe_machine() -> Machine:
    """Describe this machine; torch is imported in the environment of published code, not here."""
    cpu = _cpu_info()
    found = json.loads(run_quietly([ORACLE, "-c", QUERY, *PUBLISHED_LIBRARIES]))
    flags = set(cpu.get("flags", "").split())
    bf16 = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags]
    numbers = [
        f"{name} {cpu[key]}" for name, key in (("family", "cpu family"), ("model", "model")) if key in cpu
    ]
    processor = " ".join([cpu.get("model name", platform.machine()), *numbers])
    processor += f" ({', '.join(bf16)})" if bf16 else ", no bfloat16"
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    system = f"Linux {platform.release().split('-')[0]}, {' '.join(platform.libc_ver())}"
    text = (
        f"{processor}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB, {found['gpu'] or 'no GPU'}; "
        f"{system}. Published code: {_listed(found['versions'])}. segcube: {_listed(_installed())}."
    )
    products = float(run_quietly([ORACLE, PUBLISHED / "product_rate.py"]))
    return Machine(text, bool(bf16), found["gpu"], products)


def _cpu_info() -> dict[str, str]:
    first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _installed() -> dict[str, str]:
    """Versions in this environment; openvino is optional with a GPU."""
    found = {"Python": platform.python_version()}
    for name in INSTALLED:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
