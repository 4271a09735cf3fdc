"""Files of a wheel; the kernels are not compiled here, which would take long."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KERNELS = Path("segcube/backends/native")
OTHER_PYTHON = KERNELS / "_avx2.cpython-310-x86_64-linux-gnu.so"
FILES = ("Dockerfile", "LICENSE", "README.md", "pyproject.toml", "requirements.txt", "setup.py")
FOLDERS = ("mlcube", "project", "weights/brats-starter", "weights/mbas-starter")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A checkout in use: with listed kernels for another Python, and a user's submission."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    for name in FOLDERS:
        ignore = shutil.ignore_patterns("*.so", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copytree(folder / "weights" / "mbas-starter", folder / "weights" / "users")
    (folder / "weights" / "mbas-starter" / "patient.nii.gz").touch()
    (folder / "project" / OTHER_PYTHON).touch()
    (folder / "project" / "segcube.egg-info").mkdir()
    (folder / "project" / "segcube.egg-info" / "SOURCES.txt").write_text(f"project/{OTHER_PYTHON}\n")
    return folder


@pytest.fixture(scope="session")
def built(checkout, tmp_path_factory) -> Path:
    """The folder of modules that becomes a wheel, with a module of an earlier build."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "segcube").mkdir()
    (folder / "segcube" / "removed_since.py").touch()
    command = [sys.executable, "setup.py", "-q", "build_py", "--build-lib", folder]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    return folder


def test_a_wheel_has_the_modules_and_the_sources_of_the_kernels(built):
    for name in ("cli/app.py", "py.typed", "core/__init__.pyi", "spec/challenges/data/mbas2024.yaml"):
        assert (built / "segcube" / name).is_file()
    package = ROOT / "project" / "segcube"
    for data in package.rglob("data/*.*"):
        assert (built / "segcube" / data.relative_to(package)).is_file()
    names = {file.name for file in (built / KERNELS.parent).rglob("*.*")}
    assert {"cpu.cpp", "library.py", "norms.cu", "values.cuh", "winograd.h"} < names


def test_a_wheel_has_no_kernels_of_another_python(built):
    assert list(built.rglob("*.so")) == []


def test_without_a_compiler_the_package_has_no_kernels(checkout, tmp_path):
    environment = os.environ | {"CC": "/bin/false", "CXX": "/bin/false"}
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", tmp_path, "--build-lib", tmp_path]
    subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)
    assert (tmp_path / KERNELS / "library.py").is_file()
    assert list(tmp_path.rglob("*.so")) == []


def test_a_wheel_has_no_modules_of_an_earlier_build(built):
    assert not (built / "segcube" / "removed_since.py").exists()


@pytest.fixture
def run(built, tmp_path) -> Callable[..., str]:
    """Run a command of the installed package in an empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(built)}

    def command(*words: object) -> str:
        start = [sys.executable, "-P", "-m", "segcube.cli", *map(str, words)]
        ended = subprocess.run(
            start, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    return command


def test_an_install_from_a_wheel_predicts_with_a_starter(run, tmp_path, make_case, glioma):
    make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    report = tmp_path / "report.json"
    output = run(
        *("infer", "--data_path", tmp_path / "data", "--output_path", tmp_path / "maps"),
        *("--device", "cpu", "--preset", "fast", "--report", report),
    )
    assert "brats-starter on cpu" in output
    assert (tmp_path / "maps" / "BraTS-GLI-00001-000.nii.gz").is_file()


def test_an_install_from_a_wheel_packs(run, tmp_path, tumour_submission):
    output = run("pack", tumour_submission, "--image", "ghcr.io/spark/tumour:1", "--out", tmp_path / "packed")
    assert str(tmp_path / "packed.tar.gz") in output
    parameters = (tmp_path / "packed" / "parameters.yaml").read_bytes()
    assert parameters == (ROOT / "mlcube" / "workspace" / "parameters.yaml").read_bytes()


def test_an_image_is_built_from_a_wheel_as_from_the_checkout(built, checkout, tmp_path, tumour_submission):
    """The build contexts are equal."""
    script = "import sys; from pathlib import Path; from segcube.release.pack.image import fill_context; "
    script += "fill_context(Path(sys.argv[1]), Path(sys.argv[2]), 'tumour')"
    contexts = []
    for place, path in (("wheel", built), ("checkout", checkout / "project")):
        (tmp_path / place).mkdir()
        command = [sys.executable, "-P", "-c", script, tmp_path / place, tumour_submission]
        subprocess.run(command, env=os.environ | {"PYTHONPATH": str(path)}, check=True)
        files = (file for file in (tmp_path / place).rglob("*") if file.is_file())
        contexts.append({str(file.relative_to(tmp_path / place)): file.read_bytes() for file in files})
    assert contexts[0] == contexts[1]
    assert {"Dockerfile", "project/mlcube.py", "weights/tumour/submission.yaml"} < set(contexts[0])


def test_a_wheel_has_no_submission_of_the_user(built):
    weights = built / "segcube" / "checkout" / "weights"
    assert {folder.name for folder in weights.iterdir()} == {"brats-starter", "mbas-starter"}
    assert not list(weights.rglob("*.nii.gz"))
