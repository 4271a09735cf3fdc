"""Child processes of this interpreter, and a clean end on SIGTERM."""

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
from segcube.core.threads import room_for_a_thread


def python_command(*arguments: str) -> list[str]:
    """Command line of this interpreter, by its absolute path.

    -P keeps the current folder, and that of a script, off the path where modules are looked for.
    """
    return [str(Path(sys.executable).absolute()), "-P", *arguments]


def python_environment() -> dict[str, str]:
    """This process's environment, with this process's packages on the path.

    Empty and relative entries of the path stand for the current folder and are left out.
    """
    path = [entry for entry in sys.path if Path(entry).is_absolute()]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"}


GRACE_SECONDS = 8.0


class Terminated(BaseException):
    """The run was asked to end; no handler of ordinary errors may catch it."""


@contextmanager
def ends_on_sigterm() -> Generator[None, None, None]:
    """Raise Terminated in the main thread on SIGTERM, and leave the process if that takes too long.

    A layer of a network may hold the main thread for longer than a host waits before it kills; the signal's
    wake-up socket tells a second thread at once, which ends the process after GRACE_SECONDS. Outside the main
    thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    old_wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    old_handler = signal.signal(signal.SIGTERM, _raise)
    # Where the system gives no thread, the signal's own handler has to do
    with suppress(RuntimeError, MemoryError):
        if room_for_a_thread():
            threading.Thread(target=_watch, args=(receiver,), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old_handler)
        signal.set_wakeup_fd(old_wakeup)
        sender.close()


def _raise(_signal: int, _frame: FrameType | None) -> None:
    # A second one would end the leaving itself; the watching thread sees that it ends in time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


def _watch(receiver: socket.socket) -> None:
    with receiver:
        while received := receiver.recv(1):
            if received[0] == signal.SIGTERM:
                time.sleep(GRACE_SECONDS)
                os._exit(ExitCode.TERMINATED)
