"""Fixtures of the tests of faults: a server of commands, valid cases and their maps."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .commands import Commands
from .make_case import make_case
from .make_submission import make_submission

SOUND = ("BraTS-GLI-00001-000", "BraTS-GLI-00002-000", "BraTS-GLI-00003-000")
UNPRIVILEGED = """
import ctypes, os
if os.geteuid() == 0:
    header, no_capability = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, no_capability) == 0
"""
"""Starts a child process in which file permissions apply to root too.

Another user could not read a checkout in a closed folder, such as root's own home.
"""
WITHOUT_A_NAME = f"""
import os
if os.geteuid() == 0: os.setresuid(54321, 0, 0)
{UNPRIVILEGED}
"""
"""The same for a user that does not exist, so that the limit of threads applies too."""


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp(prefix="segcube-faults-"))
    folder.chmod(0o755)
    yield folder
    # Some faults remove permissions
    for inside, _, _ in os.walk(folder):
        Path(inside).chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def room(base: Path) -> Path:
    """An empty folder for one test, writable for all users."""
    return open_to_all(Path(tempfile.mkdtemp(dir=base)))


def open_to_all(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="session")
def weights(base: Path) -> Path:
    return make_submission(base / "weights")


@pytest.fixture(scope="session")
def data(base: Path) -> Path:
    """Three valid cases."""
    for seed, name in enumerate(SOUND):
        make_case(base / "data" / name, seed)
    return base / "data"


@pytest.fixture(scope="session")
def commands(base: Path, weights: Path, data: Path) -> Iterator[Commands]:
    started = Commands.started(weights, data, open_to_all(base / "scratch"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def sound_on_torch(base: Path, commands: Commands, data: Path) -> dict[str, bytes]:
    """The maps of the same cases, predicted with torch."""
    return commands.run(data, base / "sound on torch", "--backend", "torch").maps()


@pytest.fixture(scope="session")
def sound(base: Path, commands: Commands, data: Path) -> dict[str, bytes]:
    """The maps of the valid cases from a run without a fault."""
    ended = commands.run(data, base / "sound")
    assert ended.code == 0, ended.stderr
    assert sorted(ended.maps()) == [f"{name}.nii.gz" for name in SOUND]
    return ended.maps()
