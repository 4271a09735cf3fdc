"""SIGTERM: leave within seconds, with whole files only."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from segcube.errors import ExitCode
from segcube.threads import room_for_a_thread

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
