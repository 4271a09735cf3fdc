"""The memory of a process and of all that it starts, read from /proc while they run."""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")
LOOK_SECONDS = 0.05
SHARE_OF_TIME = 0.02
"""What looking may take, and what proportional readings may: one that takes long makes its next one wait."""
PSS_SECONDS = 1.0
"""Between two proportional readings when nothing has grown."""
GROWN = 1.01
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of whatever outlives its own parent, so that none leaves the tree."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(eq=False)
class Tree(threading.Thread):
    """Watches a process and its descendants until `stop`.

    Reading the proportional set size (PSS) walks all pages of a process, and holds it up: it is read where
    the sum of the resident sizes has grown since, and else once a second. The resident sizes cost nothing,
    and are looked at meanwhile: a short run may have its peak between two readings.
    """

    root: int
    """A child of this process."""
    peak_pss: int = 0
    """Largest sum of PSS, bytes: pages that several share count once."""
    peak_alone: int = 0
    """Largest high-water mark of a single one, bytes: what it held between two looks too."""
    seen: dict[int, str] = field(default_factory=dict)
    """Each process that was found, and when the kernel says that it began."""

    def __post_init__(self) -> None:
        super().__init__(name="tree", daemon=True)
        self._others = {pid for pid, (parent, _) in _processes().items() if parent == os.getpid()} - {
            self.root
        }
        self._done = threading.Event()
        self._grown, self._read_at, self._rest_until = 0.0, float("-inf"), float("-inf")

    @property
    def peak_bytes(self) -> int:
        """Peak memory of the tree."""
        return max(self.peak_pss, self.peak_alone)

    def run(self) -> None:
        """Look again and again."""
        while not self._done.is_set():
            start = perf_counter()
            members, resident = self._look()
            took = perf_counter() - start
            if self._may_be_peak(resident, start):
                self._read(members, resident, start)
            self._done.wait(max(LOOK_SECONDS, took / SHARE_OF_TIME))

    def stop(self) -> None:
        """End the watch."""
        self._done.set()
        self.join()

    def alive(self) -> list[int]:
        """The tree's processes that are there, those that have ended and were not waited for included."""
        return self._members()

    def _look(self) -> tuple[list[int], int]:
        """The tree's processes, and the sum of their resident sizes."""
        members = self._members()
        resident = 0
        for pid in members:
            now_bytes, most_bytes = _resident(pid)
            resident += now_bytes
            self.peak_alone = max(self.peak_alone, most_bytes)
        return members, resident

    def _may_be_peak(self, resident: int, now: float) -> bool:
        grown = resident > self._grown * GROWN
        due = now > self._rest_until and (grown or now - self._read_at > PSS_SECONDS)
        return due and resident > self.peak_pss

    def _read(self, members: list[int], resident: int, now: float) -> None:
        self.peak_pss = max(self.peak_pss, sum(_pss(pid) for pid in members))
        self._grown, self._read_at = max(self._grown, resident), now
        ended = perf_counter()
        self._rest_until = ended + (ended - now) / SHARE_OF_TIME

    def _members(self) -> list[int]:
        """The root, what descends from it, and what did before its parent ended: that one is adopted."""
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
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return {pid: _parent_and_begin(pid) for pid in pids}


def _parent_and_begin(pid: int) -> tuple[int, str]:
    """Parent and start time; (0, '') for a process that is gone."""
    try:
        # The name, in brackets, may hold blanks and brackets of its own
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, ""
    return int(fields[1]), fields[19]


def _resident(pid: int) -> tuple[int, int]:
    """Bytes resident now, and at most since the program began; zeros for a process that is gone."""
    found = _fields(pid, "status")
    return found.get("VmRSS", 0), found.get("VmHWM", 0)


def _pss(pid: int) -> int:
    """Proportional set size in bytes; the resident size where the kernel doesn't tell it."""
    found = _fields(pid, "smaps_rollup")
    return found["Pss"] if "Pss" in found else _resident(pid)[0]


def _fields(pid: int, name: str) -> dict[str, int]:
    """The lines of a file of /proc that end in kB, in bytes; nothing for a process that is gone."""
    try:
        lines = (PROC / str(pid) / name).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines if line.endswith(" kB"))
    return {parts[0].rstrip(":"): int(parts[-2]) * 1024 for parts in pairs}
