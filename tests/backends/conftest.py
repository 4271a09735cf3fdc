from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from segcube.backends.native.kernels import NativeKernels
from segcube.backends.native.library import NATIVE, NoLibrary, load_library
from segcube.spec.submission import MemberFile, load_for_challenge, member_files


@pytest.fixture
def member(tumour_submission: Path) -> MemberFile:
    """The first of two compiled members: 4 channels to 3 regions, windows of 16 x 16 x 32."""
    return members_of(tumour_submission)[0]


@pytest.fixture
def log() -> list[str]:
    return []


def members_of(folder: Path) -> list[MemberFile]:
    return list(member_files(load_for_challenge(folder).submission, folder))


@pytest.fixture
def members() -> Callable[[Path], list[MemberFile]]:
    return members_of


LANES = {8: "avx2", 16: "avx512"}
"""Builds by the floats in one of their vectors."""


@pytest.fixture(scope="session")
def build(tmp_path_factory) -> Callable[[int], NativeKernels]:
    """The installed kernels of so many lanes; built here for any processor where none are, or with flags."""
    # `make sanitize` instruments them
    instrumented = os.environ.get("TEST_KERNEL_FLAGS")

    @cache
    def of_lanes(lanes: int) -> NativeKernels:
        if instrumented is None:
            with suppress(NoLibrary):
                return NativeKernels(*load_library(vectors=LANES[lanes]))
        if (compiler := shutil.which("g++")) is None:
            pytest.skip("no g++")
        library = tmp_path_factory.mktemp("native") / f"lanes{lanes}.so"
        flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-pthread", f"-DSEGCUBE_LANES={lanes}"]
        flags += (instrumented or "-w").split()
        subprocess.run([compiler, *flags, NATIVE / "src/cpu.cpp", "-o", library], check=True)
        return NativeKernels(ctypes.CDLL(str(library)), f"{lanes} lanes")

    return of_lanes


@pytest.fixture(params=LANES)
def kernels(request, build) -> NativeKernels:
    """Those for vectors of 8 and of 16 lanes."""
    return build(request.param)
