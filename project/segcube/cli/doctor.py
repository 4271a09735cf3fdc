"""`segcube doctor`: what is installed, what a run would use, and what is broken."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from segcube import __version__
from segcube.cli.options import AsJson
from segcube.core import ExitCode, printable

PACKAGES = (
    *("numpy", "scipy", "nibabel", "pydantic", "openvino", "torch", "monai"),
    *("dynamic-network-architectures", "matplotlib", "typer"),
)
VECTORS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")
"""Flags of CPUs that decide on the kernels."""
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Fact:
    """What was found about one thing; problem: why it is broken, empty for all that works."""

    name: str
    value: str
    problem: str = ""


def doctor(as_json: AsJson = False) -> ExitCode:
    """Show what is installed, what a run would use, and what is broken.

    Lists versions, devices, native kernels, the container engine, free disk and memory, and the weights that
    a run uses by default. Optional packages may be missing.

    Exit code: 0 nothing is broken, 5 something is.

    \b
    Example:
      segcube doctor
      segcube doctor --json > report.json
    """
    sections = {"versions": _versions, "libraries": _libraries, "devices": _devices, "machine": _machine}
    found = {title: list(facts()) for title, facts in sections.items()}
    problems = [f"{fact.name}: {fact.problem}" for facts in found.values() for fact in facts if fact.problem]
    if as_json:
        values = {title: {fact.name: fact.value for fact in facts} for title, facts in found.items()}
        typer.echo(json.dumps({**values, "problems": problems}, indent=1))
    else:
        for title, facts in found.items():
            typer.echo(title)
            for fact in facts:
                typer.echo(printable(f"  {fact.name:<30} {fact.value}"))
        for problem in problems:
            typer.echo(printable(f"broken: {problem}"))
        typer.echo(f"{len(problems)} problems" if problems else "nothing is broken")
    return ExitCode.ENVIRONMENT if problems else ExitCode.DONE


def _versions() -> Iterator[Fact]:
    yield Fact("segcube", __version__)
    yield Fact("Python", f"{platform.python_version()} on {platform.platform()}")
    for name in PACKAGES:
        try:
            yield Fact(name, version(name))
        except PackageNotFoundError:
            yield Fact(name, "not installed")


def _libraries() -> Iterator[Fact]:
    """Libraries that run networks, loaded as a run loads them."""
    installed = [name for name in ("openvino", "torch") if importlib.util.find_spec(name)]
    for name in installed:
        try:
            importlib.import_module(name)
            yield Fact(name, "can be loaded")
        except Exception as error:
            yield Fact(name, "cannot be loaded", f"cannot be loaded: {error}; install it again")
    if not installed:
        yield Fact("networks", "no library", "neither OpenVINO nor torch is installed: pip install openvino")
    try:
        from segcube.backends.native import kernels_summary

        yield Fact("CPU kernels", kernels_summary())
    except Exception as error:
        yield Fact("CPU kernels", "cannot be loaded", str(error))


def _devices() -> Iterator[Fact]:
    from segcube.backends import choose_backend
    from segcube.core import RunSettings, cpu_count

    lines = _lines(Path("/proc/cpuinfo"))
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    yield Fact("CPU", f"{model}: {' '.join(flag for flag in VECTORS if flag in flags) or 'no AVX2'}")
    yield Fact("CPU threads", f"{cpu_count()} of {os.cpu_count()}, by affinity, cgroup quota and settings")
    choice = choose_backend(RunSettings())
    if choice.device == "cpu":
        yield Fact("GPU", "none is visible")
    elif importlib.util.find_spec("torch") is None:
        yield Fact("GPU", "visible", "visible, but torch is not installed: pip install 'segcube[torch]'")
    else:
        yield _gpu()
    yield Fact(
        "a run uses", f"{choice.backend}, {choice.precision}" + (f" ({choice.why})" * bool(choice.why))
    )


def _gpu() -> Fact:
    try:
        import torch

        if torch.cuda.is_available():
            names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
            free, total = torch.cuda.mem_get_info()
            return Fact("GPU", f"{', '.join(names)}; {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
        reason = f"torch {torch.__version__} cannot use it"
    except Exception as error:
        reason = str(error)
    return Fact(
        "GPU", "not usable", f"visible, but {reason}: install a CUDA build of torch, or run on --device cpu"
    )


def _machine() -> Iterator[Fact]:
    from segcube.release.trial import find_engine
    from segcube.spec.hosts import BUILT_IN_WEIGHTS
    from segcube.spec.submission import submission_folders

    engine = find_engine()
    yield Fact("container engine", engine.program if engine else "none responds (docker, podman)")
    available = next((line for line in _lines(Path("/proc/meminfo")) if line.startswith("MemAvailable")), "")
    memory = f"{int(available.split()[1]) / 1e6:.1f} GB free" if available else "unknown"
    limit = next(iter(_lines(MEMORY_LIMIT)), "max")
    yield Fact("memory", memory if limit == "max" else f"{memory}, limited to {int(limit) / 1e9:.1f} GB")
    try:
        temporary = tempfile.gettempdir()
        yield Fact("disk", f"{shutil.disk_usage(temporary).free / 1e9:.1f} GB free in {temporary}")
    except OSError as error:
        yield Fact("disk", "no temporary folder", f"no temporary folder can be written: {error}; set TMPDIR")
    try:
        names = ", ".join(folder.name for folder in submission_folders(BUILT_IN_WEIGHTS))
        yield Fact("default weights", names or f"none in {BUILT_IN_WEIGHTS}: name them with --weights")
    except Exception as error:
        yield Fact("default weights", "cannot be read", str(error))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
