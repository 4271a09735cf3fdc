"""Work on several cases at once, each in its own process: scoring holds Python's lock against threads."""

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

from segcube.core import EnvironmentFault

Work = TypeVar("Work")
Found = TypeVar("Found")

SAFE_PATH = "PYTHONSAFEPATH"


def at_once(workers: int | None, pieces: int) -> int:
    """How many workers so many pieces of work get: no more than asked for, than cores, and than pieces."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(workers or cores, cores, pieces))


def in_order(
    function: Callable[[Work], Found], pieces: Sequence[Work], workers: int
) -> Generator[Found, None, None]:
    """What a function makes of each piece of work, in their order.

    workers: processes; 1 works here and starts none. Each works on one piece at a time. The function, the
    pieces and what comes of them must pickle. A caller that leaves early ends the processes. Raises what the
    function raises, and EnvironmentFault when a process dies.
    """
    if workers == 1:
        yield from map(function, pieces)
        return
    # Not forked from here: other threads may hold locks. What forks holds the function's imports already.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    _start_fork_server()
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, context)
    try:
        # A worker that its starter no longer knows of would look in vain for what the two share
        with _interrupts_held_back():
            found = pool.map(function, pieces)
        yield from found
    except BrokenProcessPool as error:
        raise EnvironmentFault(
            "a process died while it worked on a case, as the system ends them when memory runs out",
            hint="set fewer workers",
        ) from error
    except (KeyboardInterrupt, GeneratorExit):
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Generator[None, None, None]:
    """Let Ctrl-C take effect at the end of the block; outside the main thread it has none anyway."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            signal.raise_signal(signal.SIGINT)


def _start_fork_server() -> None:
    """Start the process that forks the workers, and the one that tracks their semaphores.

    Both are `python -c`, which would import modules from the working folder, and so run whatever lies there:
    PYTHONSAFEPATH forbids that. Ctrl-C reaches every process of a terminal; those that are started here, and
    what they fork, keep it blocked, and the process that started them ends them.
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
