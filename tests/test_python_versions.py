"""The supported versions of Python."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_oldest_version_is_the_same_everywhere():
    oldest = re.match(r">=3\.(\d+),", PROJECT["project"]["requires-python"])
    assert oldest is not None
    assert oldest[1] == "11", "hashlib.file_digest and tomllib require 3.11"
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py3{oldest[1]}"
    assert f"Python 3.{oldest[1]} to 3.13 and make" in (ROOT / "README.md").read_text()


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("version", ["3.10.13", "3.14.0"])
def test_make_setup_rejects_another_python_before_it_creates_an_environment(tmp_path, version):
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "setup.py"):
        shutil.copy(ROOT / name, tmp_path)
    other = tmp_path / "python"
    numbers = version.replace(".", ", ")
    pretend = f"import sys; sys.version_info = ({numbers}); exec(sys.argv[2])"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{pretend}" "$@"\n')
    other.chmod(0o755)
    ended = subprocess.run(
        ["make", "setup", f"PYTHON={other}"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert f"is Python {version}; expected 3.11 to 3.13" in ended.stderr
    assert not (tmp_path / ".venv").exists()
