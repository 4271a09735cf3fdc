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


def test_what_a_pool_got_no_thread_for_is_not_done_again_when_it_gets_one(monkeypatch):
    done = []
    with ThreadPoolExecutor(1) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(pool, "_adjust_thread_count", _no_thread)
            threads.begin(pool, done.append, "first").result()
        threads.begin(pool, done.append, "second").result()
    assert done == ["first", "second"]


def test_what_ends_the_program_comes_out_of_a_task_that_is_done_here(monkeypatch):
    monkeypatch.setattr(threads, "room_for_a_thread", lambda: False)
    with ThreadPoolExecutor(1) as pool, pytest.raises(SystemExit):
        threads.begin(pool, sys.exit, 3)


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("cores", [1, 2, 3, 9])
def test_every_piece_is_done_once_on_any_number_of_cores(monkeypatch, room, cores):
    monkeypatch.setattr(threads, "room_for_a_thread", lambda: room)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(cores)))
    done = []
    threads.in_threads(done.append, range(7))
    assert sorted(done) == list(range(7))


def test_no_pieces_are_no_work():
    threads.in_threads(pytest.fail, [])


def test_two_pieces_are_done_at_the_same_time(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1})
    both = threading.Barrier(2, timeout=30)
    threads.in_threads(lambda _: both.wait(), [0, 1])


def test_what_a_piece_raises_comes_out_when_the_others_have_ended(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1})
    done = []

    def task(piece):
        if piece == 1:
            raise ValueError("piece 1")
        done.append(piece)

    with pytest.raises(ValueError, match="piece 1"):
        threads.in_threads(task, range(4))
    assert sorted(done) == [0, 2]


@pytest.mark.parametrize("room", [True, False])
@pytest.mark.parametrize("count", [0, 1, 4])
def test_made_ahead_keeps_the_order(monkeypatch, room, count):
    monkeypatch.setattr(threads, "room_for_a_thread", lambda: room)
    assert list(threads.map_ahead(str, range(count))) == [str(piece) for piece in range(count)]


def test_the_next_piece_is_made_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]
    made = threads.map_ahead(lambda piece: begun[piece].set(), range(3))
    next(made)
    assert begun[1].wait(30)


def test_what_making_a_piece_raises_comes_at_its_turn():
    made = threads.map_ahead(lambda piece: 1 // piece, [1, 0])
    assert next(made) == 1
    with pytest.raises(ZeroDivisionError):
        next(made)


@pytest.mark.parametrize("room", [True, False])
def test_what_signals_must_not_meet_runs_elsewhere_where_it_can(monkeypatch, room):
    monkeypatch.setattr(threads, "room_for_a_thread", lambda: room)
    where = threads.out_of_signals_way(threading.current_thread)
    assert (where is not threading.main_thread()) == room
    with pytest.raises(ValueError, match="no number"):
        threads.out_of_signals_way(lambda: int("no number"))


def test_the_same_threads_serve_at_every_call(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {0, 1})
    aside = {threads.out_of_signals_way(threading.current_thread) for _ in range(3)}
    ahead = {
        thread
        for _ in range(5)
        for thread in threads.map_ahead(lambda _: threading.current_thread(), range(4))
    }
    assert len(aside) == 1
    assert len(ahead) <= 2


def test_a_forked_child_gets_threads_of_its_own():
    assert list(threads.map_ahead(str, range(2))) == ["0", "1"]
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if list(threads.map_ahead(str, range(2))) == ["0", "1"] else 1)
    assert os.waitpid(child, 0)[1] == 0
