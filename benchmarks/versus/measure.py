"""A command measured from outside: wall time, processor time and memory of its whole process tree."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from versus.tree import Tree, adopt_orphans

ORPHANS_SECONDS = 5.0
"""How long what outlives the command may take to end by itself."""


@dataclass(frozen=True)
class Usage:
    """What a command took."""

    status: int
    began: float
    """Seconds since the epoch."""
    wall_seconds: float
    cpu_seconds: float
    """User and system, of the command and all that it started."""
    peak_bytes: int


def measured(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Usage:
    """Run a command to its end and measure it.

    log: takes what it prints. What it leaves running is counted, and ended after ORPHANS_SECONDS.
    """
    adopt_orphans()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        began, start = time.time(), time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=output, env=dict(environment)
        )
        tree = Tree(child.pid)
        tree.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    tree.stop()
    cpu = usage.ru_utime + usage.ru_stime + _orphans(tree)
    return Usage(child.returncode, began, wall, cpu, tree.peak_bytes)


def _orphans(tree: Tree) -> float:
    """Wait for what the command left behind, then end it; its processor seconds."""
    cpu = _reaped(tree)
    for pid in tree.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return cpu + _reaped(tree)


def _reaped(tree: Tree) -> float:
    """Processor seconds of what ends within ORPHANS_SECONDS."""
    cpu, deadline = 0.0, time.perf_counter() + ORPHANS_SECONDS
    while (left := tree.alive()) and time.perf_counter() < deadline:
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                ended, _, usage = os.wait4(pid, os.WNOHANG)
                cpu += usage.ru_utime + usage.ru_stime if ended else 0.0
        time.sleep(0.02)
    return cpu
