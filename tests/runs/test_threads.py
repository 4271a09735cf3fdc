from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from segcube.runs import threads


@pytest.mark.parametrize("room", [True, False])
def test_a_task_runs_in_a_thread_or_here(monkeypatch, room):
    monkeypatch.setattr(threads, "room_for_a_thread", lambda: room)
    with ThreadPoolExecutor(1) as pool:
        where = threads.begin(pool, threading.current_thread).result()
    assert (where is not threading.current_thread()) == room


@pytest.mark.parametrize("room", [True, False])
def test_what_a_task_raises_is_the_futures(monkeypatch, room):
    monkeypatch.setattr(threads, "room_for_a_thread", lambda: room)
    with ThreadPoolExecutor(1) as pool:
        error = threads.begin(pool, int, "no number").exception()
    assert isinstance(error, ValueError)
