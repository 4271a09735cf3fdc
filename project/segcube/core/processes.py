"""Command lines of child processes, and an orderly exit on SIGTERM."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from segcube.core.errors import ExitCode
from segcube.core.threads import can_start_thread


def python_command(*arguments: str) -> list[str]:
    """Return a command line of this interpreter, by its absolute path.

    -P keeps the current folder and the script's folder off the module search path.
    """
    return [str(Path(sys.executable).absolute()), "-P", *arguments]


def python_environment() -> dict[str, str]:
    """Return this process's environment, with its module search path as PYTHONPATH.

    Empty and relative entries are left out: they would be relative to the child's current folder.
    """
    path = [entry for entry in sys.path if Path(entry).is_absolute()]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}


GRACE_SECONDS = 8.0
"""Docker sends SIGKILL 10 s after SIGTERM."""


class Terminated(BaseException):
    """The process received SIGTERM; a BaseException, so that `except Exception` does not catch it."""


@contextmanager
def terminate_on_sigterm() -> Generator[None, None, None]:
    """Raise Terminated in the main thread on SIGTERM, and exit after GRACE_SECONDS in any case.

    A layer of a network may block the main thread, and with it Python's signal handlers, for longer than a
    host waits before SIGKILL. Python's wake-up socket receives the signal at once; a second thread reads it
    and ends the process. Outside the main thread this context does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    old_wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    old_handler = signal.signal(signal.SIGTERM, _raise)
    # Where no thread can be started, the signal handler has to suffice
    with suppress(RuntimeError, MemoryError):
        if can_start_thread():
            threading.Thread(target=_watch, args=(receiver,), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old_handler)
        signal.set_wakeup_fd(old_wakeup)
        sender.close()


def _restore_signals_of_child() -> None:
    """Undo `terminate_on_sigterm` in a forked child, whose SIGTERM would otherwise end its parent."""
    if signal.getsignal(signal.SIGTERM) is _raise:
        # A child that another thread than the main one forked cannot set handlers
        with suppress(ValueError):
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


os.register_at_fork(after_in_child=_restore_signals_of_child)


def _raise(_signal: int, _frame: FrameType | None) -> None:
    # A second SIGTERM would interrupt the clean-up; the watching thread bounds its time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _watch(receiver: socket.socket) -> None:
    with receiver:
        while received := receiver.recv(1):
            if received[0] == signal.SIGTERM:
                time.sleep(GRACE_SECONDS)
                os._exit(ExitCode.TERMINATED)
