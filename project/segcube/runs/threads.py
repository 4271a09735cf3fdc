"""A task in a thread, or here where no thread can be had."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
THREAD_BYTES = 2**25
"""A stack, and what Python needs to begin on it."""


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
    """Begin a task in a pool of one thread; where the system gives none, do it at once.

    Whatever the task raises is the future's.
    """
    if room_for_a_thread():
        with suppress(RuntimeError, MemoryError):
            return pool.submit(task, *arguments, **options)
    done: Future[R] = Future()
    try:
        done.set_result(task(*arguments, **options))
    except Exception as error:
        done.set_exception(error)
    return done
