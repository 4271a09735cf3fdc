"""Which build of native kernels is loaded."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from segcube.backends.native import library as native_library
from segcube.backends.native.library import NATIVE, NoLibrary, load_library, sources_digest

COMPILER = shutil.which("gcc")

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no gcc")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The kernels' sources, on a processor with AVX2 alone."""
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text("flags\t\t: fpu avx2 fma\n")
    monkeypatch.setattr(native_library, "CPU_INFO", cpu_info)
    return Path(
        shutil.copytree(NATIVE, tmp_path / "kernels", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    )


@pytest.fixture
def build(folder) -> Callable[..., None]:
    """Build a library that reports the digest of the sources as they stand, or has no digest."""

    def write(suffix: str = ".so", *, digest: bool = True) -> None:
        function = f'const char* segcube_sources() {{ return "{sources_digest(folder / "src")}"; }}'
        source = folder.parent / "library.c"
        source.write_text(function if digest else "")
        library = folder / f"_avx2{suffix}"
        subprocess.run([COMPILER, "-shared", "-fPIC", source, "-o", library], check=True)

    return write


def test_a_build_of_these_sources_is_loaded(folder, build):
    build()
    assert load_library(folder)[1] == "avx2"


@pytest.mark.parametrize("name", ["src/cpu.cpp", "src/cpu/accumulator.h"])
def test_a_build_of_other_sources_is_refused(folder, build, name):
    build()
    with (folder / name).open("a") as source:
        source.write("// changed\n")
    with pytest.raises(NoLibrary, match="was built from other sources: run pip install again"):
        load_library(folder)


def test_a_build_from_before_the_digest_is_refused(folder, build):
    build(digest=False)
    with pytest.raises(NoLibrary, match="was built from other sources"):
        load_library(folder)


def test_a_build_that_is_named_after_an_interpreter_is_not_loaded(folder, build):
    build(".cpython-311-x86_64-linux-gnu.so")
    with pytest.raises(NoLibrary, match="none were built"):
        load_library(folder)


def test_a_damaged_build_is_refused(folder):
    (folder / "_avx2.so").write_bytes(b"no library")
    with pytest.raises(NoLibrary, match="cannot be loaded"):
        load_library(folder)


def test_an_old_processor_has_none(folder, build, tmp_path):
    build()
    (tmp_path / "cpuinfo").write_text("flags : fpu sse2\n")
    with pytest.raises(NoLibrary, match="no AVX2"):
        load_library(folder)
