from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from segcube.backends.native import find_kernels
from segcube.backends.native.kernels import NativeKernels
from segcube.backends.native.library import NATIVE
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


@pytest.fixture(scope="session")
def build(tmp_path_factory) -> Callable[[int], NativeKernels]:
    compiler = shutil.which("g++")

    def of_lanes(lanes: int) -> NativeKernels:
        if compiler is None:
            pytest.skip("no g++")
        library = tmp_path_factory.mktemp("native") / f"lanes{lanes}.so"
        flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-pthread", f"-DSEGCUBE_LANES={lanes}"]
        # `make sanitize` instruments them
        flags += os.environ.get("TEST_KERNEL_FLAGS", "-w").split()
        subprocess.run([compiler, *flags, NATIVE / "src/cpu.cpp", "-o", library], check=True)
        return NativeKernels(ctypes.CDLL(str(library)), f"{lanes} lanes")

    made: dict[int, NativeKernels] = {}
    return lambda lanes: made.get(lanes) or made.setdefault(lanes, of_lanes(lanes))


@pytest.fixture(params=[8, 16, "installed"])
def kernels(request, build) -> NativeKernels:
    """Built for vectors of 8 and of 16 lanes, and as installed."""
    if request.param == "installed":
        found = find_kernels()
        if isinstance(found, str):
            pytest.skip("no kernels for this processor are installed")
        return found
    return build(request.param)
