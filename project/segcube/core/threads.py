"""Tasks in threads, or here where no thread can be had."""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
THREAD_BYTES = 2**25
"""A stack, and what Python needs to begin on it."""
MOST_THREADS = 4
"""Threads that share one work: more of them wait for Python's lock, and what each makes takes memory."""


def cores() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0))


def room_for_a_thread() -> bool:
    """Whether memory is left for one: Python waits for ever for a thread that had none to begin with."""
    try:
        mmap.mmap(-1, THREAD_BYTES).close()
    except OSError:
        return False
    return True


def begin(
    pool: ThreadPoolExecutor, task: Callable[P, R], *arguments: P.args, **options: P.kwargs
) -> Future[R]:
    """Begin a task in a pool; where the system gives no thread, do it at once.

    It is done once. Whatever it raises is the future's; what ends the program comes out as well, if it is
    done here.
    """
    done: Future[R] = Future()
    unclaimed = Lock()

    def work() -> None:
        # A pool keeps in its queue what it got no thread for
        if not unclaimed.acquire(blocking=False):
            return
        try:
            done.set_result(task(*arguments, **options))
        except BaseException as error:
            done.set_exception(error)
            if not isinstance(error, Exception):
                raise

    if room_for_a_thread():
        with suppress(RuntimeError, MemoryError):
            pool.submit(work)
            return done
    work()
    return done


@cache
def _kept_threads(name: str, count: int) -> ThreadPoolExecutor:
    """The same threads at every call.

    glibc keeps what a thread has freed for that thread, or for whichever comes after it: where new ones come
    at every call, more and more of them have kept something.
    """
    return ThreadPoolExecutor(count, thread_name_prefix=name)


# A forked child has the pools without their threads, and would wait for those for ever
os.register_at_fork(after_in_child=_kept_threads.cache_clear)


def out_of_signals_way(task: Callable[[], R]) -> R:
    """What a task returns or raises; it runs in another thread where the system gives one.

    Python runs the handlers of signals in the main thread, between any two lines of what that runs: where a
    library calls Python back, the library gets what a handler raises, and tells of a fault of its own.
    """
    return begin(_kept_threads("aside", 1), task).result()


def map_ahead(function: Callable[[T], R], pieces: Sequence[T]) -> Iterator[R]:
    """What a function makes of each piece, in order; threads, one a core, are up to MOST_THREADS ahead."""
    count = min(cores(), MOST_THREADS)
    pool = _kept_threads("ahead", count)
    coming: deque[Future[R]] = deque()
    for piece in pieces:
        coming.append(begin(pool, function, piece))
        if len(coming) > count:
            yield coming.popleft().result()
    while coming:
        yield coming.popleft().result()


def in_threads(task: Callable[[T], None], pieces: Sequence[T]) -> None:
    """Do a task once for each piece in a few threads; numpy lets the others run while it works on an array.

    The pieces must not touch the same voxels. Raises what a task raises, when all threads have ended.
    """
    count = max(1, min(cores(), len(pieces), MOST_THREADS))
    shares = [pieces[core::count] for core in range(count)]
    errors: list[Exception] = []

    def work(share: Sequence[T]) -> None:
        try:
            for piece in share:
                task(piece)
        except Exception as error:
            errors.append(error)

    helpers = [_thread_for(work, share) for share in shares[1:]]
    for share, helper in zip(shares, [None, *helpers], strict=True):
        if helper is None:
            work(share)
    for helper in helpers:
        if helper is not None:
            helper.join()
    if errors:
        raise errors[0]


def _thread_for(work: Callable[[Sequence[T]], None], share: Sequence[T]) -> Thread | None:
    """A thread that has begun, or None where the system gives none."""
    if room_for_a_thread():
        with suppress(RuntimeError, MemoryError):
            thread = Thread(target=work, args=(share,))
            thread.start()
            return thread
    return None
