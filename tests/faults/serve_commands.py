"""Run commands of segcube in forks of a process that has imported everything, so that each starts at once.

A request is a line of JSON on stdin. {"arguments", "before", "environment", "out", "err"} begins a child, in
which the Python text of `before` runs first, and is answered by {"pid"}. {"wait", "seconds"} is answered by
{"code", "took", "peak"}, or {"code": null} for a child that still runs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import NoReturn

import torch

import segcube.backends.openvino.backend  # noqa: F401  (so that the forks need not import it)
from segcube.cli.app import app

STARTED: dict[int, float] = {}


def serve() -> None:
    """Answer requests until stdin ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer(wait(request["wait"], request["seconds"]))
            continue
        pid = os.fork()
        if pid == 0:
            become(request)
        STARTED[pid] = time.monotonic()
        answer({"pid": pid})


def answer(reply: dict[str, object]) -> None:
    print(json.dumps(reply), flush=True)


def wait(pid: int, seconds: float) -> dict[str, object]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            took = time.monotonic() - STARTED.pop(pid)
            return {"code": os.waitstatus_to_exitcode(status), "took": took, "peak": usage.ru_maxrss / 1024}
        time.sleep(0.005)
    return {"code": None}


def become(request: dict) -> NoReturn:
    """Run one command as in a process of its own."""
    for number, file in enumerate((os.devnull, request["out"], request["err"])):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666), number)
    os.closerange(3, 100)
    os.environ.update(request["environment"])
    sys.argv = ["segcube", *request["arguments"]]
    code = 1
    try:
        exec(request["before"], {})
        app()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        traceback.print_exc()
    leave(code)


def leave(code: int) -> NoReturn:
    """End like Python does, without the teardown of torch, which takes longer than a run."""
    threading._shutdown()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        code = 120
    os._exit(code)


def warm_up(arguments: list[str]) -> None:
    """Run once here, so that modules that are imported on demand are loaded.

    On torch: the threads of OpenVINO would be missing in the children.
    """
    torch.set_num_threads(1)
    with suppress(SystemExit):
        app([*arguments, "--backend", "torch"])


if __name__ == "__main__":
    warm_up(sys.argv[1:])
    serve()
