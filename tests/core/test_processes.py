from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

from segcube.core import CaseError, Code, python_command, python_environment


def test_pythonpath_omits_empty_and_relative_entries(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", ".", "lib", "/a", "/b c"])
    assert python_environment()["PYTHONPATH"] == f"/a{os.pathsep}/b c"


def test_the_path_of_the_interpreter_is_absolute(monkeypatch):
    monkeypatch.setattr(sys, "executable", "bin/python")
    assert python_command("-V")[0] == f"{Path.cwd()}/bin/python"


def test_modules_in_the_current_folder_are_not_imported(tmp_path):
    (tmp_path / "numpy.py").write_text("print('imported')")
    command = python_command("-m", "numpy.version")
    ended = subprocess.run(
        command, cwd=tmp_path, env=python_environment(), capture_output=True, text=True, check=True
    )
    assert ended.stdout == ""


FORKING = """
import os, signal, time
from segcube.core import processes, terminate_on_sigterm

processes.GRACE_SECONDS = 0

with terminate_on_sigterm():
    ready, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"1")
        time.sleep(60)
    os.read(ready, 1)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
    time.sleep(0.5)
    print("alive")
"""


def test_sigterm_of_a_forked_child_does_not_reach_its_parent():
    ended = subprocess.run(
        python_command("-c", FORKING), env=python_environment(), capture_output=True, text=True, check=True
    )
    assert ended.stdout == "alive\n"


def test_an_error_of_a_case_keeps_its_parts_between_processes():
    error = CaseError(Code.BAD_DTYPE, "has fractions", file=Path("a.nii.gz"), expected="whole numbers")
    other = pickle.loads(pickle.dumps(error))
    assert (other.code, str(other)) == (error.code, str(error))
