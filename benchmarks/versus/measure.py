"""Measure a command from outside: wall time, CPU time and memory of its process tree, and use of the GPU."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import perf_counter

from versus.rows import Device

PROC = Path("/proc")
SAMPLE_SECONDS = 0.05
SHARE_OF_TIME = 0.02
"""The most that sampling may take, and that PSS may: a slow one delays the next one."""
PSS_SECONDS = 1.0
"""Between two reads of PSS when nothing has grown."""
GROWN = 1.01
PR_SET_CHILD_SUBREAPER = 36
ORPHANS_SECONDS = 5.0
"""The time for orphans of the command to end on their own."""
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
    """User and system, of the whole process tree."""
    peak_bytes: int


def measure(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Usage:
    """Run a command to its end and measure it.

    log: file for its output. Orphans are measured too, and killed after ORPHANS_SECONDS.
    """
    # Orphans become children of this process, so that none leaves the tree
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        began, start = time.time(), perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command], stdout=output, stderr=output, env=dict(environment)
        )
        memory = TreeMemory(child.pid)
        memory.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall = perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    memory.stop()
    cpu = usage.ru_utime + usage.ru_stime + _reap(memory)
    for pid in memory.members():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return Usage(child.returncode, began, wall, cpu + _reap(memory), memory.peak_bytes)


def _reap(memory: TreeMemory) -> float:
    """Wait for orphans, up to ORPHANS_SECONDS; their CPU seconds."""
    cpu, deadline = 0.0, perf_counter() + ORPHANS_SECONDS
    while (left := memory.members()) and perf_counter() < deadline:
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                ended, _, usage = os.wait4(pid, os.WNOHANG)
                cpu += usage.ru_utime + usage.ru_stime if ended else 0.0
        time.sleep(0.02)
    return cpu


@dataclass(eq=False)
class TreeMemory(threading.Thread):
    """Sample the memory of a process and its descendants from /proc, until `stop`.

    Reading the proportional set size (PSS), in which shared pages count once, walks all pages of a process
    and holds it up. It is read when the sum of resident sizes has grown, and else once a second. Resident
    sizes cost nothing and are sampled meanwhile, because a short run may have its peak between two reads of
    PSS.
    """

    root: int
    """A child of this process."""
    peak_pss: int = 0
    peak_single: int = 0
    """Largest high-water mark of a single process: includes peaks between two samples."""
    seen: dict[int, str] = field(default_factory=dict)
    """Start time of each process of the tree, by pid."""

    def __post_init__(self) -> None:
        super().__init__(name="memory", daemon=True)
        self._others = {pid for pid, (parent, _) in _processes().items() if parent == os.getpid()}
        self._others.discard(self.root)
        self._done = threading.Event()
        self._grown, self._read_at, self._rest_until = 0.0, float("-inf"), float("-inf")

    @property
    def peak_bytes(self) -> int:
        """Peak memory of the tree."""
        return max(self.peak_pss, self.peak_single)

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._done.is_set():
            start = perf_counter()
            members = self.members()
            sizes = [_kilobytes(pid, "status") for pid in members]
            resident = sum(size.get("VmRSS", 0) for size in sizes)
            self.peak_single = max([self.peak_single, *(size.get("VmHWM", 0) for size in sizes)])
            took = perf_counter() - start
            changed = resident > self._grown * GROWN or start - self._read_at > PSS_SECONDS
            if start > self._rest_until and changed and resident > self.peak_pss:
                pss = [_kilobytes(pid, "smaps_rollup").get("Pss") for pid in members]
                # The resident size where the kernel does not report PSS
                pairs = zip(pss, sizes, strict=True)
                total = sum(size.get("VmRSS", 0) if own is None else own for own, size in pairs)
                self.peak_pss = max(self.peak_pss, total)
                self._grown, self._read_at = max(self._grown, resident), start
                self._rest_until = perf_counter() + (perf_counter() - start) / SHARE_OF_TIME
            self._done.wait(max(SAMPLE_SECONDS, took / SHARE_OF_TIME))

    def stop(self) -> None:
        """End sampling."""
        self._done.set()
        self.join()

    def members(self) -> list[int]:
        """The root, its descendants, and orphans of these, zombies included."""
        found = _processes()
        children: dict[int, list[int]] = {}
        for pid, (parent, _) in found.items():
            children.setdefault(parent, []).append(pid)
        adopted = set(children.get(os.getpid(), [])) - self._others
        known = {pid for pid, (_, began) in found.items() if self.seen.get(pid) == began}
        members = sorted(adopted | known)
        for pid in members:
            members += [child for child in children.get(pid, []) if child not in members]
        self.seen |= {pid: found[pid][1] for pid in members}
        return members


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and start time of every process."""
    found: dict[int, tuple[int, str]] = {}
    for pid in (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()):
        with contextlib.suppress(OSError):
            # The name, in brackets, may contain blanks and brackets
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            found[pid] = int(fields[1]), fields[19]
    return found


def _kilobytes(pid: int, name: str) -> dict[str, int]:
    """The sizes in a file of /proc, in bytes; nothing for a process that has ended."""
    try:
        lines = (PROC / str(pid) / name).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines if line.endswith(" kB"))
    return {parts[0].rstrip(":"): int(parts[-2]) * 1024 for parts in pairs}


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
