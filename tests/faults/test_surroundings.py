"""Unusual environments, streams, clocks and names that must not change a run."""

from __future__ import annotations

import shutil

import pytest

from .conftest import SOUND, WITHOUT_A_NAME, open_to_all
from .make_case import make_case

AROUND = {
    "home_that_is_not_there": "import os\nos.environ['HOME'] = '/nowhere'",
    "read_only_temporary_folder": "import os\nos.environ['TMPDIR'] = '/proc'",
    "no_user": f"{WITHOUT_A_NAME}import os\nos.environ.clear()",
    "huge_environment": "import os\nos.environ.update({f'V{n}': 'x' * 1000 for n in range(5000)})",
    "no_working_folder": "import os, tempfile\nd = tempfile.mkdtemp()\nos.chdir(d)\nos.rmdir(d)",
    "stderr_closed": "import os, sys\nos.close(2)\nsys.stderr = None",
    "every_stream_closed": "import os, sys\nos.closerange(0, 3)\nsys.stdin = sys.stdout = sys.stderr = None",
    "stderr_closed_below_python": "import os\nos.close(2)",
    "stderr_a_broken_pipe": "import os\nr, w = os.pipe()\nos.close(r)\nos.dup2(w, 2)",
    "stderr_on_a_full_disk": "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 2)",
    "stdout_on_a_full_disk": "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)",
    "clock_at_the_epoch": "import time\ntime.time = lambda: 0.0",
    "clock_that_jumps": (
        "import itertools, time\nways = itertools.cycle([4e9, -1.0, 1e9])\n"
        "time.time = lambda: next(ways)\ntime.time_ns = lambda: int(next(ways) * 1e9)"
    ),
    "few_open_files": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))",
    "umask_of_a_miser": "import os\nos.umask(0o077)",
    "no_files_without_a_name": "import os\ndel os.O_TMPFILE",
    "signals_of_pipes_ignored": "import signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)",
}
"""Python code that runs at the start of the process."""


@pytest.mark.parametrize("around", AROUND)
def test_unusual_environments_do_not_change_a_run(commands, data, sound, room, around):
    before = AROUND[around].replace("mkdtemp()", f"mkdtemp(dir={str(room)!r})")
    ended = commands.run(data, open_to_all(room / "out"), before=before).expect(0, sound=sound)
    assert ended.maps() == sound
    assert set(ended.statuses().values()) == {"done"}


NO_OPENVINO = {
    "no_more_threads": f"{WITHOUT_A_NAME}import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (0, 0))",
    "limited_addresses": "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36))",
}
"""Limits at which OpenVINO does not start, or hangs when memory is exhausted."""


@pytest.mark.parametrize("around", NO_OPENVINO)
def test_torch_replaces_openvino_where_it_cannot_run(commands, data, sound_on_torch, room, around):
    out = open_to_all(room / "out")
    ended = commands.run(data, out, before=NO_OPENVINO[around]).expect(0, sound=sound_on_torch)
    assert ended.maps() == sound_on_torch


@pytest.mark.parametrize("stream", ["stderr_closed", "stderr_a_broken_pipe"])
def test_exit_codes_do_not_depend_on_stderr(commands, data, room, stream):
    """A usage error, a fault of the environment and a bad case, none of which can be printed."""
    before = AROUND[stream]
    assert commands.run(data, room / "out", "--shard", "3/2", before=before).code == 2
    assert commands.run(data, room / "out", weights=room, before=before).code == 5
    make_case(room / "data" / SOUND[0]).put(b"")
    assert commands.run(room / "data", room / "out", before=before).code == 4


NAMES = {
    "newline": "data\n",
    "quotes": ' it\'s my "data" ',
    "dash": "-data",
    "greek": "δεδομένα",
    "bytes": "caf\udce9",
    "markup": "[bold]:boom:",
    "long": "d" * 250,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_data_folder_of_any_name(commands, data, sound, room, name):
    folder = room / NAMES[name]
    shutil.copytree(data, folder)
    make_case(folder / "BraTS-GLI-00009-000").put(b"")
    ended = commands.run(folder, room / "out").expect(3, sound=sound)
    assert ended.codes() == {"BraTS-GLI-00009-000": "EMPTY_FILE"}
    assert ended.maps() == sound
