"""Open OpenVINO for a run: with the graphs beside the weights, or with graphs compiled for this run alone."""

from __future__ import annotations

from collections.abc import Callable

import openvino as ov

from segcube.backends.native.installed import kernels_summary
from segcube.backends.openvino.backend import OpenVINOBackend
from segcube.backends.openvino.graphs import NoGraphs, compile_for_run, read_compiled
from segcube.spec.submission import LoadedSubmission, member_files

CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}


def open_openvino(
    loaded: LoadedSubmission, precision: str, why: str, log: Callable[[str], None]
) -> OpenVINOBackend:
    """Open OpenVINO with a graph for every member.

    Raises NoGraphs where a graph is missing and cannot be compiled, EnvironmentFault for graphs that exist
    and cannot be read.
    """
    compiled = read_compiled(loaded.folder)
    missing = [m for m in member_files(loaded.submission, loaded.folder) if m not in compiled]
    if missing:
        log(
            f"{missing[0].file.name}: not compiled for OpenVINO; compiling for this run alone "
            f"(segcube compile {loaded.folder} does it once and for all)"
        )
        compiled = compile_for_run(loaded.folder)
    core = _start_cpu_plugin()
    if precision != "fp32" and not _supports(core, precision):
        log(f"this CPU has no {precision}; fp32 instead")
        precision = "fp32"
    version = ov.__version__.split("-")[0]
    reason = f"{why}; openvino {version}, {precision}"
    if precision == "fp32":
        reason += f", native kernels: {kernels_summary()}"
    return OpenVINOBackend(compiled, precision, reason, core=core)


def _start_cpu_plugin() -> ov.Core:
    """Load OpenVINO's CPU plugin, which fails without threads or memory. Raises NoGraphs."""
    core = ov.Core()
    try:
        core.get_property("CPU", "FULL_DEVICE_NAME")
    except RuntimeError as error:
        last_line = str(error).strip().splitlines()[-1].strip()
        raise NoGraphs(f"OpenVINO does not start here: {last_line}") from error
    return core


def _supports(core: ov.Core, precision: str) -> bool:
    return CAPABILITIES[precision] in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
