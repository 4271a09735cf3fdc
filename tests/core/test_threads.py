from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segcube.core import UsageError, threads


def write_files(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


V1 = {"cpu.cfs_quota_us": "150000\n", "cpu.cfs_period_us": "100000\n"}


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, 2, id="version 2, as a container sees it"),
        pytest.param(
            "0::/slice/job\n",
            {"slice/cpu.max": "400000 100000\n", "slice/job/cpu.max": "max 100000\n"},
            4,
            id="the group above",
        ),
        pytest.param(
            "3:memory:/job\n2:cpu,cpuacct:/job\n",
            {f"cpu,cpuacct/job/{name}": text for name, text in V1.items()},
            2,
            id="version 1",
        ),
        pytest.param(
            "2:cpu,cpuacct:/docker/id\n",
            {f"cpu/{name}": text for name, text in V1.items()},
            2,
            id="version 1, as a container sees it",
        ),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, None, id="no quota in version 2"),
        pytest.param(
            "2:cpu:/\n",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            None,
            id="no quota in version 1",
        ),
        pytest.param("0::/../other\n", {"cpu.max": "\n"}, None, id="an empty file"),
    ],
)
def test_quota_of_a_cgroup(tmp_path, own, files, expected):
    write_files(tmp_path / "cgroup", files)
    (tmp_path / "own").write_text(own)
    assert threads.cgroup_quota(tmp_path / "cgroup", tmp_path / "own") == expected


def test_no_cgroups_are_no_quota(tmp_path):
    assert threads.cgroup_quota(tmp_path / "none", tmp_path / "none") is None


@pytest.fixture
def eight_cpus(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "_cached_quota", lambda: None)
    monkeypatch.setattr(threads, "_limit", None)
    monkeypatch.delenv(threads.THREADS_VARIABLE, raising=False)


@pytest.mark.usefixtures("eight_cpus")
@pytest.mark.parametrize(
    ("quota", "variable", "limit", "expected"),
    [
        (None, "", None, 8),
        (3, "", None, 3),
        (3, "2", None, 2),
        (3, "2", 1, 1),
        (3, "", 4, 3),
        (None, "16", None, 8),
    ],
)
def test_threads_are_the_fewest_of_affinity_quota_and_limit(monkeypatch, quota, variable, limit, expected):
    monkeypatch.setattr(threads, "_cached_quota", lambda: quota)
    monkeypatch.setenv(threads.THREADS_VARIABLE, variable)
    threads.limit_threads(limit)
    assert threads.cpu_count() == expected
    assert threads.reduced_cpu_count() == (None if expected == 8 else expected)


@pytest.mark.usefixtures("eight_cpus")
def test_without_affinity_all_cpus_count(monkeypatch):
    monkeypatch.delattr(threads.os, "sched_getaffinity")
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 3)
    assert threads.cpu_count() == 3


@pytest.mark.usefixtures("eight_cpus")
@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_variable_that_is_no_number_of_threads_is_refused(monkeypatch, text):
    monkeypatch.setenv(threads.THREADS_VARIABLE, text)
    with pytest.raises(UsageError, match=threads.THREADS_VARIABLE):
        threads.cpu_count()


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


@pytest.mark.parametrize(("cores", "room"), [(1, True), (3, True), (3, False), (9, True)])
def test_every_item_is_processed_once_on_any_number_of_cores(monkeypatch, room, cores):
    monkeypatch.setattr(threads, "can_start_thread", lambda: room)
    monkeypatch.setattr(threads, "cpu_count", lambda: cores)
    done = []
    threads.for_each_in_threads(done.append, range(7))
    assert sorted(done) == list(range(7))


def test_without_items_no_task_runs():
    threads.for_each_in_threads(pytest.fail, [])


def test_two_items_are_processed_at_the_same_time(monkeypatch):
    monkeypatch.setattr(threads, "cpu_count", lambda: 2)
    both = threading.Barrier(2, timeout=300)
    threads.for_each_in_threads(lambda _: both.wait(), [0, 1])


def test_the_error_of_an_item_is_raised_when_all_threads_have_ended(monkeypatch):
    monkeypatch.setattr(threads, "cpu_count", lambda: 2)
    done = []

    def task(item):
        if item == 1:
            raise ValueError("item 1")
        done.append(item)

    with pytest.raises(ValueError, match="item 1"):
        threads.for_each_in_threads(task, range(4))
    assert sorted(done) == [0, 2]


@pytest.mark.parametrize(("count", "room"), [(0, True), (4, True), (4, False)])
def test_prefetch_keeps_the_order(monkeypatch, room, count):
    monkeypatch.setattr(threads, "can_start_thread", lambda: room)
    assert list(threads.prefetch(str, range(count))) == [str(item) for item in range(count)]


def test_prefetch_computes_the_next_item_while_one_is_used():
    begun = [threading.Event() for _ in range(3)]
    results = threads.prefetch(lambda item: begun[item].set(), range(3))
    next(results)
    assert begun[1].wait(300)


def test_prefetch_raises_the_error_of_an_item_at_its_turn():
    results = threads.prefetch(lambda item: 1 // item, [1, 0])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_threads_of_prefetch_are_kept_from_call_to_call(monkeypatch):
    monkeypatch.setattr(threads, "cpu_count", lambda: 2)
    prefetching = {
        thread
        for _ in range(5)
        for thread in threads.prefetch(lambda _: threading.current_thread(), range(4))
    }
    assert len(prefetching) <= 2


def test_a_forked_child_starts_its_own_threads():
    assert list(threads.prefetch(str, range(2))) == ["0", "1"]
    child = os.fork()
    if child == 0:
        signal.alarm(300)
        os._exit(0 if list(threads.prefetch(str, range(2))) == ["0", "1"] else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_malformed_list_of_groups_means_no_quota(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("nonsense\n")
    assert threads.cgroup_quota(tmp_path, own) is None
