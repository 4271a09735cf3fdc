"""Measure a command from outside: wall time, CPU time and memory of its processes, and use of the GPU."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter, time

from versus.rows import Device

PROC = Path("/proc")
SAMPLE_SECONDS = 0.05
SHARE_OF_TIME = 0.02
"""The most that sampling may take: reading a process's PSS walks its pages and holds it up."""
NVIDIA_SMI = (
    "nvidia-smi",
    "--query-gpu=timestamp,utilization.gpu",
    "--format=csv,noheader,nounits",
    "--loop-ms=100",
    "--id=0",
)
TIMESTAMP = "%Y/%m/%d %H:%M:%S.%f"


@dataclass(frozen=True)
class Usage:
    """The resources of a command."""

    status: int
    began: float
    """Seconds since the epoch."""
    wall_seconds: float
    cpu_seconds: float
    """User and system, of the command and all processes that it waited for."""
    peak_bytes: int
    """Of all its processes, pages that they share counted once."""


def measure(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Usage:
    """Run a command in a session of its own to its end and measure it; kills what it leaves behind.

    log: file for its output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        began, start = time(), perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
        done, peak = threading.Event(), [0]
        sampler = threading.Thread(target=_sample_memory, args=(child.pid, done, peak), daemon=True)
        sampler.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall = perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    done.set()
    sampler.join()
    for pid in _members(child.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # The high-water mark of the largest process includes peaks between two samples
    peak_bytes = max(peak[0], usage.ru_maxrss * 1024)
    return Usage(child.returncode, began, wall, usage.ru_utime + usage.ru_stime, peak_bytes)


def _sample_memory(session: int, done: threading.Event, peak: list[int]) -> None:
    """Keep the largest sum of the processes' proportional set sizes in `peak` until `done`."""
    while not done.is_set():
        start = perf_counter()
        peak[0] = max(peak[0], sum(map(_memory, _members(session))))
        done.wait(max(SAMPLE_SECONDS, (perf_counter() - start) / SHARE_OF_TIME))


def _members(session: int) -> list[int]:
    """The processes of a session."""
    found: list[int] = []
    for pid in (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()):
        with contextlib.suppress(OSError):
            if os.getsid(pid) == session:
                found.append(pid)
    return found


def _memory(pid: int) -> int:
    """PSS in bytes; the resident size where the kernel does not report PSS, 0 for an ended process."""
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / name).read_text(errors="replace").splitlines():
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    return 0


@dataclass
class GpuUse:
    """Samples of the first GPU's utilisation: time in seconds since the epoch, and percent."""

    samples: list[tuple[float, int]] = field(default_factory=list)

    def mean(self, first: float, last: float) -> float | None:
        """Mean between two times, as a fraction; None without a sample."""
        between = [percent for when, percent in self.samples if first <= when <= last]
        return sum(between) / len(between) / 100 if between else None


@contextlib.contextmanager
def gpu_watched(device: Device) -> Generator[GpuUse, None, None]:
    """Sample the GPU during the block, by nvidia-smi; nothing on a CPU."""
    use = GpuUse()
    if device == "cpu":
        yield use
        return
    watch = subprocess.Popen(NVIDIA_SMI, stdout=subprocess.PIPE, text=True)
    try:
        yield use
    finally:
        watch.terminate()
        printed, _ = watch.communicate()
        for line in printed.splitlines():
            when, _, percent = line.rpartition(", ")
            if percent.isdigit():
                use.samples.append((datetime.strptime(when, TIMESTAMP).timestamp(), int(percent)))
