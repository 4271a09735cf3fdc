"""Processes that start in a faulty environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from .commands import LIMIT

COMMAND = [sys.executable, "-m", "segcube.cli", "infer"]


def arguments(data, weights, out) -> list[str]:
    options = ["--data_path", data, "--output_path", out, "--weights", weights, "--device", "cpu"]
    return [*COMMAND, *map(os.fsdecode, map(os.fsencode, options))]


def test_a_bare_start(data, sound, weights, room):
    """No home, no temporary folder, no working folder, no stdin, no locale, and a name in Greek."""
    shutil.copytree(data, room / "δεδομένα")
    gone = room / "gone"
    gone.mkdir()
    bare = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TMPDIR": "/nowhere", "OMP_NUM_THREADS": "1"}
    bare |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    command = arguments(room / "δεδομένα", weights, room / "out")
    printed = subprocess.run(
        ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@" <&-', str(gone), *command],
        env=bare,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert printed.returncode == 0, printed.stderr
    assert "Traceback" not in printed.stderr
    assert {file.name: file.read_bytes() for file in (room / "out").iterdir()} == sound


@pytest.mark.parametrize("megabytes", [300, 1000])
def test_too_little_memory_at_the_start_gives_no_traceback(data, weights, room, megabytes):
    """The limit is too low to load torch."""
    command = arguments(data, weights, room / "out")
    printed = subprocess.run(
        ["sh", "-c", f'ulimit -v {megabytes * 1024} && exec "$0" "$@"', *command],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert printed.returncode == 5, printed.stderr
    assert "Traceback" not in printed.stderr
    assert not (room / "out").exists()


def test_sigterm_while_torch_is_loaded(data, weights, room):
    run = subprocess.Popen(
        [*arguments(data, weights, room / "out"), "--backend", "torch"], stderr=subprocess.PIPE, text=True
    )
    time.sleep(1)
    run.send_signal(signal.SIGTERM)
    _, stderr = run.communicate(timeout=LIMIT)
    assert run.returncode in (143, -15), stderr
    assert "Traceback" not in stderr
    assert not (room / "out").exists()
