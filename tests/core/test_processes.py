from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from segcube.core import python_command, python_environment


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
