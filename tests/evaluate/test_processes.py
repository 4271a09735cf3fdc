from __future__ import annotations

import math
import os
import signal

import pytest

from segcube.errors import EnvironmentFault, UsageError
from segcube.evaluate import processes
from segcube.evaluate.processes import at_once, in_order


def test_workers_are_no_more_than_asked_for_than_cores_and_than_pieces(monkeypatch):
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert [at_once(*asked) for asked in ((None, 9), (2, 9), (8, 9), (None, 3), (3, 0))] == [4, 2, 4, 3, 1]


def test_one_worker_starts_no_process():
    assert list(in_order(lambda _: os.getpid(), range(2), 1)) == [os.getpid()] * 2


def test_more_workers_keep_the_order_of_the_pieces():
    assert list(in_order(abs, [-3, 2, -1], 2)) == [3, 2, 1]


def test_what_the_function_raises_is_raised():
    with pytest.raises(ValueError, match="math domain"):
        list(in_order(math.sqrt, [4.0, -1.0], 2))


def test_errors_for_a_person_come_back_whole():
    from pickle import dumps, loads

    error = loads(dumps(UsageError("no map", expected="one")))
    assert (str(error), error.expected) == ("no map; expected one", "one")


def test_a_process_that_dies_is_told():
    with pytest.raises(EnvironmentFault, match="a process died"):
        list(in_order(signal.raise_signal, [signal.SIGKILL] * 2, 2))


def test_a_caller_may_leave_early():
    found = in_order(abs, range(-50, 0), 2)
    assert next(found) == 50
    found.close()
