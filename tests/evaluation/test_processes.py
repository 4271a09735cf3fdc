from __future__ import annotations

import math
import os
import signal
import subprocess
import sys

import pytest

from segcube.core import EnvironmentFault, UsageError
from segcube.evaluation import processes
from segcube.evaluation.processes import map_in_processes, worker_count


def test_number_of_workers_is_limited_by_request_cores_and_items(monkeypatch):
    monkeypatch.setattr(processes, "cpu_count", lambda: 4)
    assert [worker_count(*options) for options in ((None, 9), (2, 9), (8, 9), (None, 3), (3, 0))] == [
        4,
        2,
        4,
        3,
        1,
    ]


def test_one_worker_starts_no_process():
    assert list(map_in_processes(lambda _: os.getpid(), range(2), 1)) == [os.getpid()] * 2


def test_results_keep_the_order_of_the_items():
    assert list(map_in_processes(abs, [-3, 2, -1], 2)) == [3, 2, 1]


def test_errors_of_the_function_are_raised():
    with pytest.raises(ValueError, match="math domain"):
        list(map_in_processes(math.sqrt, [4.0, -1.0], 2))


def test_segcube_errors_survive_pickling():
    from pickle import dumps, loads

    error = loads(dumps(UsageError("no map", expected="one")))
    assert (str(error), error.expected) == ("no map; expected one", "one")


def test_a_process_that_dies_is_an_error():
    with pytest.raises(EnvironmentFault, match="process died"):
        list(map_in_processes(signal.raise_signal, [signal.SIGKILL] * 2, 2))


WITHOUT_ROOM = """
import resource

from segcube.evaluation.processes import map_in_processes

if __name__ == "__main__":
    # Semaphores are files; as with a full /dev/shm, none can be written
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    print(list(map_in_processes(abs, [-3, 2, -1], 2)))
"""


def test_without_room_for_processes_items_are_done_in_turn(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(WITHOUT_ROOM)
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert ended.stdout == "[3, 2, 1]\n", ended.stderr
    assert "one case at a time" in ended.stderr


WORK = """
from {module} import {name}
from segcube.evaluation.processes import map_in_processes

if __name__ == "__main__":
    print(list(map_in_processes({name}, [4, 9], 2)))
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


def test_the_environment_is_restored(monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    assert list(map_in_processes(abs, [-3, 2], 2)) == [3, 2]
    assert "PYTHONSAFEPATH" not in os.environ


def test_ctrl_c_while_workers_start_shows_no_traceback(tmp_path):
    # Each new process sends itself SIGINT, as Ctrl-C does, when it imports the function
    (tmp_path / "interrupted.py").write_text(
        "import os, signal\nfrom math import isqrt\n\n"
        "def work(number):\n    return isqrt(number)\n\n"
        "if os.environ.setdefault('FIRST', str(os.getpid())) != str(os.getpid()):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
    )
    script = WORK.format(module="interrupted", name="work")
    ended = run_python([sys.executable, "-c", script], tmp_path, PYTHONPATH=str(tmp_path))
    assert (ended.stdout, ended.stderr) == ("[2, 3]\n", "")


def test_closing_the_generator_ends_the_workers():
    from multiprocessing import active_children

    before = set(active_children())
    found = map_in_processes(abs, range(-50, 0), 2)
    assert next(found) == 50
    started = set(active_children()) - before
    found.close()
    assert started
    assert not any(process.is_alive() for process in started)
