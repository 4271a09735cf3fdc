"""Compile submissions without graphs, at import or for one run; openvino is imported only to compile."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from segcube.backends.openvino.graphs import Compiled, NoGraphs, read_compiled
from segcube.core import python_command, python_environment
from segcube.spec.submission import LoadedSubmission


def compile_if_possible(loaded: LoadedSubmission, log: Callable[[str], None]) -> None:
    """Compile a submission beside its weights; logs why it will run on torch where that is impossible.

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


def compile_for_run(folder: Path) -> Compiled:
    """Compile a submission in the temporary folder, in a process of its own that frees torch's memory.

    Raises NoGraphs where that fails.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="segcube-") as scratch:
            command = python_command("-m", "segcube.cli", "compile", str(folder.absolute()), "--out", scratch)
            process = subprocess.run(command, capture_output=True, text=True, env=python_environment())
            if process.returncode:
                reason = (process.stderr.strip() or f"ended with {process.returncode}").splitlines()[-1]
                raise NoGraphs(f"compiling failed: {reason}")
            return read_compiled(Path(scratch)).at_hand()
    except OSError as error:
        raise NoGraphs(f"no temporary folder to compile in: {error}") from error
