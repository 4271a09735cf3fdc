"""How many threads compute; tasks in threads, or in the calling thread where the system cannot start one."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from math import ceil
from pathlib import Path
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

from segcube.core.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
THREAD_BYTES = 2**25
"""Memory to start a thread: its stack and what Python allocates for it."""
MAX_THREADS = 4
"""Threads for one task: more of them wait for Python's lock, and the result of each takes memory."""
THREADS_VARIABLE = "SEGCUBE_THREADS"
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")

_limit: int | None = None


def cpu_count() -> int:
    """Return how many threads compute at once: as many as CPUs may be used, or fewer as the user limits them.

    The CPUs are those of the affinity mask, and no more than the cgroup's quota pays for. Raises UsageError
    for a SEGCUBE_THREADS that is no number.
    """
    limits = [_cached_quota(), _limit or _limit_of_environment()]
    return max(1, min([_usable_cpus(), *(limit for limit in limits if limit is not None)]))


def reduced_cpu_count() -> int | None:
    """Return `cpu_count` where it is smaller than the affinity mask, which libraries read themselves."""
    count = cpu_count()
    return count if count < _usable_cpus() else None


def limit_threads(count: int | None) -> None:
    """Let this process compute with at most so many threads; None leaves it to SEGCUBE_THREADS."""
    global _limit
    _limit = count


def _limit_of_environment() -> int | None:
    text = os.environ.get(THREADS_VARIABLE)
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"{THREADS_VARIABLE}={text}", expected="a number of threads, at least 1")
    return int(text)


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _cached_quota() -> int | None:
    # The kernels ask at every call
    return cgroup_quota(CGROUPS, OWN_CGROUP)


def cgroup_quota(cgroups: Path, own: Path) -> int | None:
    """Return the CPUs that the process's cgroup and those above it may use, rounded up; None without a quota.

    cgroups: where they are mounted. own: lists the process's groups, a line for version 2 (0::/path) or for
    each controller of version 1 (2:cpu,cpuacct:/path).
    """
    folders = [cgroups, cgroups / "cpu", cgroups / "cpu,cpuacct"]
    with suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" or "cpu" in controllers.split(","):
                inner = cgroups / controllers / path.lstrip("/")
                folders += [folder for folder in (inner, *inner.parents) if cgroups in folder.parents]
    return min((quota for folder in folders if (quota := _quota_of(folder))), default=None)


def _quota_of(folder: Path) -> int | None:
    """The quota in a cgroup's folder: one file in version 2 ("max 100000" for none), two in version 1."""
    with suppress(OSError, ValueError, ZeroDivisionError):
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return ceil(int(quota) / int(period)) if int(quota) > 0 else None
    return None


def can_start_thread() -> bool:
    """Return whether there is memory for a thread; without it, Python would wait for the thread for ever."""
    try:
        mmap.mmap(-1, THREAD_BYTES).close()
    except OSError:
        return False
    return True


def submit(
    pool: ThreadPoolExecutor, task: Callable[P, R], *arguments: P.args, **options: P.kwargs
) -> Future[R]:
    """Submit a task to a pool; where no thread can be started, run it at once in this thread.

    The task runs exactly once. The future holds what it raises; SystemExit and the like are also raised here
    if it runs in this thread.
    """
    done: Future[R] = Future()
    unclaimed = Lock()

    def work() -> None:
        # A pool that could not start a thread keeps the task in its queue
        if not unclaimed.acquire(blocking=False):
            return
        try:
            done.set_result(task(*arguments, **options))
        except BaseException as error:
            done.set_exception(error)
            if not isinstance(error, Exception):
                raise

    if can_start_thread():
        with suppress(RuntimeError, MemoryError):
            pool.submit(work)
            return done
    work()
    return done


@cache
def _prefetch_pool(count: int) -> ThreadPoolExecutor:
    """Return the same pool at every call with the same count.

    glibc keeps the memory that a thread frees in an arena for that thread; new threads at every call would
    fill more and more arenas.
    """
    return ThreadPoolExecutor(count, thread_name_prefix="prefetch")


# A forked child inherits the pools without their threads, and would wait for them for ever
os.register_at_fork(after_in_child=_prefetch_pool.cache_clear)


def prefetch(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yield the function's result for each item, in order, computed in threads before it is used.

    At most one result for each thread is pending. Errors are raised at their item's turn.
    """
    count = min(cpu_count(), MAX_THREADS)
    pool = _prefetch_pool(count)
    pending: deque[Future[R]] = deque()
    for item in items:
        pending.append(submit(pool, function, item))
        if len(pending) > count:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def for_each_in_threads(task: Callable[[T], None], items: Sequence[T]) -> None:
    """Run a task once for each item, in a few threads; numpy releases Python's lock inside array operations.

    Tasks must not write to the same voxels. Raises the first error of a task, when all threads have ended.
    """
    count = max(1, min(cpu_count(), len(items), MAX_THREADS))
    shares = [items[index::count] for index in range(count)]
    errors: list[Exception] = []

    def work(share: Sequence[T]) -> None:
        try:
            for item in share:
                task(item)
        except Exception as error:
            errors.append(error)

    threads = [_started_thread(work, share) for share in shares[1:]]
    for share, thread in zip(shares, [None, *threads], strict=True):
        if thread is None:
            work(share)
    for thread in threads:
        if thread is not None:
            thread.join()
    if errors:
        raise errors[0]


def _started_thread(work: Callable[[Sequence[T]], None], share: Sequence[T]) -> Thread | None:
    """Start a thread; None where the system cannot."""
    if can_start_thread():
        with suppress(RuntimeError, MemoryError):
            thread = Thread(target=work, args=(share,))
            thread.start()
            return thread
    return None
