"""The phantoms at hand for a step of a training, prefetched from processes that own no state."""

from __future__ import annotations

import queue
import subprocess
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from segcube.core import LOG, EnvironmentFault, count_of, cpu_count, python_command, python_environment
from segcube.training.signals import Requests
from segcube.training.stream.case import StreamedCase, StreamRules

FIRST = 8
"""Phantoms at hand for the first step; the buffer fills as the training goes on."""
MOST_WORKERS = 16
ATTEMPTS = 3
"""To make a phantom, where the process that makes it dies."""


class PhantomStream:
    """The phantoms of a training; which of them are at hand is a function of the step alone.

    The first step has FIRST phantoms. Another joins after every `patches` samples of phantoms, and the oldest
    leaves where there are more than `buffer`. Close it, or use it in a `with` block, to end its processes.
    requests: to the training, which end a wait for phantoms.
    """

    def __init__(
        self, rules: StreamRules, batch: int, requests: Requests, workers: int | None = None
    ) -> None:
        self.rules = rules
        self._requests = requests
        self._rate = batch * rules.synthetic.share / rules.synthetic.patches
        self._count = workers or max(1, min(cpu_count() - 1, MOST_WORKERS))
        self._waiting: dict[int, Future[StreamedCase]] = {}
        self._workers = [_Worker(rules) for _ in range(self._count)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="phantoms")
        self._closed = False

    def indices(self, step: int) -> range:
        """Return the indices of the phantoms at hand for a step, from 0."""
        stop = FIRST + int(step * self._rate)
        return range(max(0, stop - self.rules.synthetic.buffer), stop)

    def at(self, step: int) -> Sequence[StreamedCase]:
        """Return the phantoms at hand for a step; waits for those that are not made yet.

        Raises EndRequested where a signal asks to end during the wait, EnvironmentFault where the processes
        that make them die, and what `make_streamed` raises.
        """
        begins = not self._waiting
        wanted = self.indices(step)
        prefetched = range(wanted.stop, wanted.stop + 2 * self._count)
        for index in [index for index in self._waiting if index not in wanted and index not in prefetched]:
            self._waiting.pop(index).cancel()
        for index in (*wanted, *prefetched):
            if index not in self._waiting:
                self._waiting[index] = self._threads.submit(self._make, index)
        if begins:
            LOG.info("making %s before the next step", count_of(len(wanted), "phantom"))
        return [self._requests.result_of(self._waiting[index]) for index in wanted]

    def close(self) -> None:
        """End the processes; phantoms that are being made are dropped."""
        self._closed = True
        for future in self._waiting.values():
            future.cancel()
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown()
        for worker in self._workers:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make(self, index: int) -> StreamedCase:
        worker, code = self._idle.get(), None
        try:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return worker.make(index)
                except (EOFError, OSError):
                    code = worker.end()
                    if self._closed:
                        raise
                    found = f"the process that makes phantom {index} ended with code {code}"
                    LOG.warning("%s (attempt %d of %d)", found, attempt, ATTEMPTS)
        finally:
            self._idle.put(worker)
        raise EnvironmentFault(
            f"the process that makes phantom {index} ended with code {code}, {ATTEMPTS} times",
            hint="give the run more memory, or set a smaller synthetic.buffer",
        )


class _Worker:
    """A process that makes phantoms, started at its first one."""

    def __init__(self, rules: StreamRules) -> None:
        self._rules = rules
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def make(self, index: int) -> StreamedCase:
        """Make one phantom. Raises EOFError or OSError where the process died, and what it raised."""
        connection = self._connection or self._start()
        connection.send(index)
        answer = connection.recv()
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, StreamedCase)
        return answer

    def kill(self) -> None:
        """Kill the process, whatever it does."""
        if self._process is not None:
            self._process.kill()

    def end(self) -> int | None:
        """Kill the process; returns its exit code, None without one. The next phantom starts another."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if process is None or connection is None:
            return None
        process.kill()
        connection.close()
        return process.wait()

    def _start(self) -> Connection:
        connection, other = Pipe()
        with other:
            words = python_command("-m", "segcube.training.stream.worker", str(other.fileno()))
            # In a session of its own: Ctrl-C in a terminal ends the training alone, which ends this process
            self._process = subprocess.Popen(
                words, env=python_environment(), pass_fds=[other.fileno()], start_new_session=True
            )
        self._connection = connection
        connection.send(self._rules)
        return connection
