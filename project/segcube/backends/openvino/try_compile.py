"""Compile what comes in for the CPU, where that can be done."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from segcube.backends.openvino.graphs import NoGraphs
from segcube.spec.submission import LoadedSubmission


def compile_if_possible(loaded: LoadedSubmission, log: Callable[[str], None]) -> None:
    """Compile a submission beside its weights; one that cannot be compiled runs on torch, which is told.

    Raises EnvironmentFault for weights that are not sound, or a folder that cannot be written.
    """
    if importlib.util.find_spec("openvino") is None:
        log("not compiled, so that torch runs it on a CPU: openvino is not installed")
        return
    from segcube.backends.openvino.compiling import compile_submission

    try:
        compile_submission(loaded, loaded.folder, lambda member: log(f"compiling {member}"))
    except NoGraphs as error:
        log(f"not compiled, so that torch runs it on a CPU: {error}")
