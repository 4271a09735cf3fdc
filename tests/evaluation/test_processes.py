from __future__ import annotations

import math
import os
import signal
import subprocess
import sys

import pytest

from segcube.core import EnvironmentFault, UsageError
from segcube.evaluation import processes
from segcube.evaluation.processes import at_once, in_order


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


WORK = """
from {module} import {name}
from segcube.evaluation.processes import in_order

if __name__ == "__main__":
    print(list(in_order({name}, [4, 9], 2)))
"""


def run_python(command, folder, **environment):
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )


def test_modules_in_the_working_folder_are_not_run(tmp_path):
    for name in ("random", "signal", "selectors", "numpy", "segcube", "multiprocessing", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"import pathlib; pathlib.Path('ran-{name}').touch()\n")
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "script.py"
    script.write_text(WORK.format(module="math", name="isqrt"))
    ended = run_python([sys.executable, script], tmp_path)
    assert (ended.stdout, ended.stderr) == ("[2, 3]\n", "")
    assert list(tmp_path.glob("ran-*")) == []


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    assert list(in_order(abs, [-3, 2], 2)) == [3, 2]
    assert "PYTHONSAFEPATH" not in os.environ


def test_ctrl_c_while_workers_start_shows_no_traceback(tmp_path):
    # Each process that is started sends itself what Ctrl-C sends, as soon as it imports the work
    (tmp_path / "interrupted.py").write_text(
        "import os, signal\nfrom math import isqrt\n\n"
        "def work(number):\n    return isqrt(number)\n\n"
        "if os.environ.setdefault('FIRST', str(os.getpid())) != str(os.getpid()):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
    )
    script = WORK.format(module="interrupted", name="work")
    ended = run_python([sys.executable, "-c", script], tmp_path, PYTHONPATH=str(tmp_path))
    assert (ended.stdout, ended.stderr) == ("[2, 3]\n", "")


def test_a_caller_that_leaves_early_ends_the_workers():
    from multiprocessing import active_children

    before = set(active_children())
    found = in_order(abs, range(-50, 0), 2)
    assert next(found) == 50
    started = set(active_children()) - before
    found.close()
    assert started
    assert not any(process.is_alive() for process in started)
