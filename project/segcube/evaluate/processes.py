"""Work on several cases at once, each in its own process: scoring holds Python's lock against threads."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from segcube.errors import EnvironmentFault

Work = TypeVar("Work")
Found = TypeVar("Found")


def at_once(workers: int | None, pieces: int) -> int:
    """How many workers so many pieces of work get: no more than asked for, than cores, and than pieces."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(workers or cores, cores, pieces))


def in_order(
    function: Callable[[Work], Found], pieces: Sequence[Work], workers: int
) -> Generator[Found, None, None]:
    """What a function makes of each piece of work, in their order.

    workers: processes; 1 works here and starts none. Each works on one piece at a time. The function, the
    pieces and what comes of them must pickle. A caller that leaves early drops what has not begun. Raises
    what the function raises, and EnvironmentFault when a process dies.
    """
    if workers == 1:
        yield from map(function, pieces)
        return
    # Not forked from here: other threads may hold locks. What forks holds the function's imports already.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([function.__module__])
    pool = ProcessPoolExecutor(workers, context, initializer=_leave_interrupts)
    try:
        yield from pool.map(function, pieces)
    except BrokenProcessPool as error:
        raise EnvironmentFault(
            "a process died while it worked on a case, as the system ends them when memory runs out",
            mend="set fewer workers",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that started the others ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
