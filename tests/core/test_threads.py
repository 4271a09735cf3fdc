from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from segcube.core import threads


def _no_thread() -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("room", [True, False])
def test_a_task_runs_in_a_thread_where_one_can_start(monkeypatch, room):
    monkeypatch.setattr(threads, "can_start_thread", lambda: room)
    with ThreadPoolExecutor(1) as pool:
        thread = threads.submit(pool, threading.current_thread).result()
    assert (thread is not threading.current_thread()) == room


@pytest.mark.parametrize("room", [True, False])
def test_the_future_holds_the_error_of_a_task(monkeypatch, room):
    monkeypatch.setattr(threads, "can_start_thread", lambda: room)
    with ThreadPoolExecutor(1) as pool:
        error = threads.submit(pool, int, "no number").exception()
    assert isinstance(error, ValueError)


def test_a_task_that_ran_in_the_calling_thread_is_not_run_again_by_the_pool(monkeypatch):
    done = []
    with ThreadPoolExecutor(1) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(pool, "_adjust_thread_count", _no_thread)
            threads.submit(pool, done.append, "first").result()
        threads.submit(pool, done.append, "second").result()
    assert done == ["first", "second"]


def test_system_exit_is_raised_by_a_task_in_the_calling_thread(monkeypatch):
    monkeypatch.setattr(threads, "can_start_thread", lambda: False)
    with ThreadPoolExecutor(1) as pool, pytest.raises(SystemExit):
        threads.submit(pool, sys.exit, 3)


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("cores", [1, 2, 3, 9])
def test_every_item_is_processed_once_on_any_number_of_cores(monkeypatch, room, cores):
    monkeypatch.setattr(threads, "can_start_thread", lambda: room)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(cores)))
    done = []
    threads.for_each_in_threads(done.append, range(7))
    assert sorted(done) == list(range(7))


def test_without_items_no_task_runs():
    threads.for_each_in_threads(pytest.fail, [])


def test_two_items_are_processed_at_the_same_time(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1})
    both = threading.Barrier(2, timeout=30)
    threads.for_each_in_threads(lambda _: both.wait(), [0, 1])


def test_the_error_of_an_item_is_raised_when_all_threads_have_ended(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1})
    done = []

    def task(item):
        if item == 1:
            raise ValueError("item 1")
        done.append(item)

    with pytest.raises(ValueError, match="item 1"):
        threads.for_each_in_threads(task, range(4))
    assert sorted(done) == [0, 2]


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_prefetch_keeps_the_order(monkeypatch, room, count):
    monkeypatch.setattr(threads, "can_start_thread", lambda: room)
    assert list(threads.prefetch(str, range(count))) == [str(item) for item in range(count)]


def test_prefetch_computes_the_next_item_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]
    results = threads.prefetch(lambda item: begun[item].set(), range(3))
    next(results)
    assert begun[1].wait(30)


def test_prefetch_raises_the_error_of_an_item_at_its_turn():
    results = threads.prefetch(lambda item: 1 // item, [1, 0])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("room", [True, False])
def test_a_task_runs_outside_the_main_thread_where_a_thread_can_start(monkeypatch, room):
    monkeypatch.setattr(threads, "can_start_thread", lambda: room)
    thread = threads.run_outside_main_thread(threading.current_thread)
    assert (thread is not threading.main_thread()) == room
    with pytest.raises(ValueError, match="no number"):
        threads.run_outside_main_thread(lambda: int("no number"))


def test_pools_are_kept_from_call_to_call(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1})
    outside = {threads.run_outside_main_thread(threading.current_thread) for _ in range(3)}
    prefetching = {
        thread
        for _ in range(5)
        for thread in threads.prefetch(lambda _: threading.current_thread(), range(4))
    }
    assert len(outside) == 1
    assert len(prefetching) <= 2


def test_a_forked_child_starts_its_own_threads():
    assert list(threads.prefetch(str, range(2))) == ["0", "1"]
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if list(threads.prefetch(str, range(2))) == ["0", "1"] else 1)
    assert os.waitpid(child, 0)[1] == 0
