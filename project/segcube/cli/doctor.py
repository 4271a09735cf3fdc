"""`segcube doctor` and `segcube info`: the installation, the challenges and the content of a submission."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from segcube import __version__
from segcube.cli.base.options import AsJson
from segcube.core import EnvironmentFault, ExitCode, SegcubeError, printable

PACKAGES = ("numpy", "scipy", "nibabel", "pydantic", "openvino", "torch", "monai", "matplotlib", "typer")
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
    """Show what is installed, what a run uses, and what is broken.

    Lists versions, devices, native kernels, the container engine, free disk and memory, and the weights that
    a run uses by default. Optional packages may be missing.

    Exit code: 0 nothing is broken, 5 something is.

    \b
    Example:
      segcube doctor
      segcube doctor --json > report.json
    """
    found = {"versions": list(_versions()), "devices": list(_devices()), "machine": list(_machine())}
    problems = [f"{fact.name}: {fact.problem}" for facts in found.values() for fact in facts if fact.problem]
    if as_json:
        values = {title: {fact.name: fact.value for fact in facts} for title, facts in found.items()}
        typer.echo(json.dumps({**values, "problems": problems}, indent=1))
    else:
        for title, facts in found.items():
            typer.echo(title)
            for fact in facts:
                typer.echo(printable(f"  {fact.name:<18} {fact.value}"))
        for line in [f"broken: {problem}" for problem in problems] or ["nothing is broken"]:
            typer.echo(printable(line))
    return ExitCode.ENVIRONMENT if problems else ExitCode.DONE


def info(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="DIR|KEY",
            help="Folder of a submission, or key of a challenge. Default: list the challenges.",
            show_default=False,
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the challenges, or describe one of them or a submission.

    Without an argument, lists each challenge: its key, channels, labels and scored regions. Of a challenge:
    names of files, channels, labels, regions, geometry and metrics. Of a submission: stages, branches,
    windows and members, with the network and the parameters of each weights file.

    \b
    Example:
      segcube info
      segcube info brats2023-gli
      segcube info weights/NAME
      segcube info weights/NAME --json
    """
    from difflib import get_close_matches

    from segcube.cli.base.tables import print_challenge, print_challenges, print_submission
    from segcube.spec.challenges import challenge_keys, load_challenge

    if not subject:
        print_challenges(as_json)
    elif subject in challenge_keys() and not Path(subject).is_dir():
        print_challenge(load_challenge(subject), as_json)
    elif not Path(subject).exists():
        keys = [key for key in challenge_keys() if subject in key]
        similar = ", ".join(keys or get_close_matches(subject, challenge_keys()))
        raise EnvironmentFault(
            "neither a folder nor a challenge",
            file=Path(subject),
            expected="the folder of a submission, or a key of a challenge",
            hint=f"similar keys: {similar}" if similar else "segcube info lists the challenges",
        )
    else:
        print_submission(Path(subject), as_json)


def _attempt(name: str, find: Callable[[], str]) -> Fact:
    """What `find` returns about a thing, or why it failed."""
    try:
        return Fact(name, find())
    except Exception as error:
        return Fact(name, "not usable", str(error))


def _versions() -> Iterator[Fact]:
    # Takes an eighth of what `segcube --help` does
    from importlib.metadata import version

    yield Fact("segcube", __version__)
    yield Fact("Python", f"{platform.python_version()} on {platform.platform()}")
    for name in PACKAGES:
        if importlib.util.find_spec(name) is None:
            yield Fact(name, "not installed")
        else:
            yield _attempt(name, lambda name=name: version(name))


def _devices() -> Iterator[Fact]:
    """The libraries and devices that run networks, loaded as a run loads them."""
    from segcube.backends import choose_backend
    from segcube.backends.native import kernels_summary
    from segcube.core import RunSettings, cpu_count

    lines = _lines(Path("/proc/cpuinfo"))
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
    yield Fact("CPU", f"{model}: {' '.join(flag for flag in VECTORS if flag in flags) or 'no AVX2'}")
    threads = f"of {os.cpu_count()}, by affinity, cgroup quota and settings"
    yield _attempt("CPU threads", lambda: f"{cpu_count()} {threads}")
    yield _attempt("native kernels", kernels_summary)
    installed = [name for name in ("openvino", "torch") if importlib.util.find_spec(name)]
    for name in installed:
        yield _attempt(name, lambda name=name: f"{importlib.import_module(name).__name__} can be loaded")
    if not installed:
        yield Fact("networks", "not usable", "neither OpenVINO nor torch is installed: pip install openvino")
    try:
        choice = choose_backend(RunSettings())
    except SegcubeError as error:
        yield Fact("a run uses", "nothing", str(error))
        return
    yield Fact("GPU", "none is visible") if choice.device == "cpu" else _attempt("GPU", _describe_gpu)
    yield Fact("a run uses", f"{choice.backend}, {choice.precision}")


def _describe_gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        raise EnvironmentFault(
            f"visible, but torch {torch.__version__} cannot use it",
            hint="install torch for CUDA, or use --device cpu",
        )
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    free, total = torch.cuda.mem_get_info()
    return f"{', '.join(names)}; {free / 1e9:.1f} of {total / 1e9:.1f} GB free"


def _machine() -> Iterator[Fact]:
    from segcube.release.trial import find_engine
    from segcube.spec.hosts import BUILT_IN_WEIGHTS
    from segcube.spec.submission import submission_folders

    def weights() -> str:
        names = ", ".join(folder.name for folder in submission_folders(BUILT_IN_WEIGHTS))
        return names or f"none in {BUILT_IN_WEIGHTS}: name them with --weights"

    def disk() -> str:
        folder = tempfile.gettempdir()
        return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB free in {folder}"

    engine = find_engine()
    yield Fact("container engine", engine.program if engine else "none responds (docker, podman)")
    yield _attempt("memory", _memory)
    yield _attempt("temporary files", disk)
    yield _attempt("default weights", weights)


def _memory() -> str:
    available = next((line for line in _lines(Path("/proc/meminfo")) if line.startswith("MemAvailable")), "")
    memory = f"{int(available.split()[1]) / 1e6:.1f} GB free" if available else "unknown"
    limit = next(iter(_lines(MEMORY_LIMIT)), "max")
    return memory if limit == "max" else f"{memory}, limited to {int(limit) / 1e9:.1f} GB"


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
