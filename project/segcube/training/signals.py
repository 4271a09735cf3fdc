"""Requests to a running training: save and end, or save and pause, by signal or by a file."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

from segcube.core import LOG, ExitCode, SegcubeError

PAUSE_FILE = "pause"
"""A file of this name in a fold's folder pauses its training until the file is removed."""
POLL_SECONDS = 1.0
_Result = TypeVar("_Result")


class Requeue(SegcubeError):
    """A training that saved its state and ended before its last step, as was requested."""

    label = ""

    def __init__(self, exit_code: ExitCode, step: int) -> None:
        self.exit_code = exit_code
        super().__init__(f"ended after step {step} as requested; the same command continues")


class EndRequested(Exception):
    """A wait that ended early, because a signal asked the training to end."""


@dataclass
class Requests:
    """What signals asked for; the loop reads it between two steps.

    SIGTERM: save and end with code 143. SIGINT, which Ctrl-C sends: save and end with code 130; the second
    one raises KeyboardInterrupt. SIGUSR1, which a cluster sends before its time limit: save and end with code
    75, requeue. SIGUSR2: save and pause, until the next SIGUSR2.
    """

    folder: Path
    end: ExitCode | None = None
    pause: bool = False

    @property
    def paused(self) -> bool:
        """Whether to wait, by signal or by the pause file."""
        return self.pause or (self.folder / PAUSE_FILE).exists()

    def wait(self) -> None:
        """Sleep while paused; a request to end stops the pause."""
        while self.paused and self.end is None:
            time.sleep(POLL_SECONDS)

    def result_of(self, future: Future[_Result]) -> _Result:
        """Wait for a result. Raises EndRequested once a signal asks to end, and what the future raised."""
        while not future.done():
            if self.end is not None:
                raise EndRequested
            wait([future], timeout=POLL_SECONDS)
        return future.result()

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal."""
        if number == signal.SIGTERM:
            self.end = ExitCode.TERMINATED
        elif number == signal.SIGINT:
            if self.end is ExitCode.INTERRUPTED:
                raise KeyboardInterrupt
            self.end = ExitCode.INTERRUPTED
            LOG.warning("interrupted: the step ends and the state is saved; Ctrl-C again ends at once")
        elif number == signal.SIGUSR1:
            self.end = ExitCode.REQUEUE
        else:
            self.pause = not self.pause


@contextmanager
def receive_requests(folder: Path) -> Generator[Requests, None, None]:
    """Receive requests by signal in the main thread; elsewhere only the pause file works."""
    requests = Requests(folder)
    if threading.current_thread() is not threading.main_thread():
        yield requests
        return
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
    old = {number: signal.signal(number, requests.receive) for number in numbers}
    try:
        yield requests
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
