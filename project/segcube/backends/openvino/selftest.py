"""OpenVINO for a run: the graphs beside the weights, or graphs made for this run alone."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import openvino as ov

from segcube.backends.native.kernels import find_kernels
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.openvino.graphs import Compiled, NoGraphs, read_compiled
from segcube.backends.protocol import member_files
from segcube.core import python_command, python_environment
from segcube.spec.submission import LoadedSubmission

CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}


def open_openvino(
    loaded: LoadedSubmission, precision: str, why: str, log: Callable[[str], None]
) -> OpenVINOBackend:
    """OpenVINO with a graph for every member.

    Raises NoGraphs where a member has none and none can be made, EnvironmentFault for graphs that are there
    and cannot be read.
    """
    compiled = read_compiled(loaded.folder)
    missing = [m for m in member_files(loaded.submission, loaded.folder) if m not in compiled]
    if missing:
        log(
            f"{missing[0].file.name}: not compiled for OpenVINO; compiling for this run alone "
            f"(segcube compile {loaded.folder} does it once and for all)"
        )
        compiled = _compile_elsewhere(loaded.folder)
    core = _started()
    if precision != "fp32" and not _has(core, precision):
        log(f"this CPU has no {precision}; fp32 instead")
        precision = "fp32"
    version = ov.__version__.split("-")[0]
    reason = f"{why}; openvino {version}, {precision}"
    if precision == "fp32":
        kernels = find_kernels()
        if isinstance(kernels, str):
            reason += f", without kernels of its own ({kernels})"
        else:
            reason += f", kernels of its own for {kernels.vectors}"
    return OpenVINOBackend(compiled, precision, reason, core=core)


def _compile_elsewhere(folder: Path) -> Compiled:
    """Graphs made in a process of their own, so that torch's memory goes with it, in the temporary folder."""
    try:
        with tempfile.TemporaryDirectory(prefix="segcube-") as scratch:
            command = python_command("-m", "segcube.cli", "compile", str(folder.absolute()), "--out", scratch)
            ended = subprocess.run(command, capture_output=True, text=True, env=python_environment())
            if ended.returncode:
                said = (ended.stderr.strip() or f"ended with {ended.returncode}").splitlines()[-1]
                raise NoGraphs(f"compiling failed: {said}")
            return read_compiled(Path(scratch)).at_hand()
    except OSError as error:
        raise NoGraphs(f"no temporary folder to compile in: {error}") from error


def _started() -> ov.Core:
    """OpenVINO with its CPU plugin loaded, which needs threads and memory."""
    core = ov.Core()
    try:
        core.get_property("CPU", "FULL_DEVICE_NAME")
    except RuntimeError as error:
        last_line = str(error).strip().splitlines()[-1].strip()
        raise NoGraphs(f"OpenVINO does not start here: {last_line}") from error
    return core


def _has(core: ov.Core, precision: str) -> bool:
    return CAPABILITIES[precision] in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
