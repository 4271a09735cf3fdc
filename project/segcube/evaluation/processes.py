"""Run a function on several cases at once in processes, since scoring holds Python's global lock."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import TypeVar

from segcube.core import LOG, EnvironmentFault, cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")

SAFE_PATH = "PYTHONSAFEPATH"


def worker_count(workers: int | None, items: int) -> int:
    """The number of processes for so many items: at most as many as requested, as threads and as items."""
    most = cpu_count()
    return max(1, min(workers or most, most, items))


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Generator[Result, None, None]:
    """Yield the function's result for each item, in their order.

    workers: processes, each with one item at a time; 1 runs here and starts none. Where the system has no
    room for them, this runs here as well, with a warning. The function, the items and the results must
    pickle. Closing the generator early ends the processes. Raises what the function raises, and
    EnvironmentFault when a process dies.
    """
    pool = _pool(function, workers) if workers > 1 else None
    if pool is None:
        yield from map(function, items)
        return
    others = set(multiprocessing.active_children())
    try:
        # An interrupt in between would leave a worker without the semaphores that it shares with the pool
        with _delayed_interrupts():
            results = pool.map(function, items)
        yield from results
    except BrokenProcessPool as error:
        raise EnvironmentFault(
            "a worker process died while it scored a case; the system may have run out of memory",
            hint="set fewer workers",
        ) from error
    except (KeyboardInterrupt, GeneratorExit):
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(function: Callable[[Item], Result], workers: int) -> ProcessPoolExecutor | None:
    """A pool of processes; None where there is no room for its semaphores, as with a full /dev/shm."""
    # Not forked from here, where other threads may hold locks; the fork server preloads the function's
    # imports
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    try:
        _start_fork_server()
        return ProcessPoolExecutor(workers, context)
    except OSError as error:
        LOG.warning(f"one case at a time, as processes need room in /dev/shm: {error.strerror}")
        return None


@contextmanager
def _delayed_interrupts() -> Generator[None, None, None]:
    """Delay Ctrl-C to the end of the block; outside the main thread it has no effect anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if received:
            signal.raise_signal(signal.SIGINT)


def _start_fork_server() -> None:
    """Start the process that forks the workers, and the one that tracks their semaphores.

    Both run `python -c`, which would import modules from the working folder, and so execute files there:
    PYTHONSAFEPATH prevents that. Ctrl-C reaches every process of a terminal; the processes started here and
    their forks block it, and this process ends them.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        # First, because it unblocks the signal
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before
