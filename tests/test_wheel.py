"""What a wheel takes from the checkout; kernels, which take long, are not compiled here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KERNELS = Path("segcube/backends/kernels")
OTHER_PYTHON = KERNELS / "_avx2.cpython-310-x86_64-linux-gnu.so"
NEEDED = ("Dockerfile", "LICENSE", "README.md", "mlcube", "pyproject.toml", "requirements.txt", "setup.py")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A checkout in which others have built before: kernels for another Python lie there, and are listed."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in NEEDED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, folder / name)
    ignore = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT / "project", folder / "project", ignore=ignore)
    (folder / "project" / OTHER_PYTHON).touch()
    (folder / "project" / "segcube.egg-info").mkdir()
    (folder / "project" / "segcube.egg-info" / "SOURCES.txt").write_text(f"project/{OTHER_PYTHON}\n")
    return folder


@pytest.fixture(scope="session")
def built(checkout, tmp_path_factory) -> Path:
    """The folder of modules that becomes a wheel; an earlier build left a module there."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "segcube").mkdir()
    (folder / "segcube" / "removed_since.py").touch()
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", folder]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    return folder


def test_a_wheel_has_the_modules_and_the_kernels_sources(built):
    for name in ("cli.py", "py.typed", "challenges/data/mbas2024.yaml"):
        assert (built / "segcube" / name).is_file()
    names = {file.name for file in (built / KERNELS).rglob("*.*")}
    assert {"cpu.cpp", "digest.py", "norms.cu", "values.cuh", "winograd.h"} < names


def test_a_wheel_has_no_kernels_of_another_python(built):
    assert list(built.rglob("*.so")) == []


def test_a_wheel_has_nothing_of_an_earlier_build(built):
    assert not (built / "segcube" / "removed_since.py").exists()
