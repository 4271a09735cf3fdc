"""Run `segcube import` on each of many sources in a process of its own, within bounds of time and memory.

Reads `{name: [words of the command]}` from stdin and writes `{name: [exit code or -signal, stderr]}`.
"""

import json
import os
import resource
import sys
import tempfile
from pathlib import Path

CPU_SECONDS = 60
MEMORY = 200 << 20


def attack(words):
    with tempfile.TemporaryFile() as stderr:
        child = os.fork()
        if child == 0:
            run_within_bounds(words, stderr)
        _, status = os.waitpid(child, 0)
        stderr.seek(0)
        return os.waitstatus_to_exitcode(status), stderr.read().decode(errors="replace")


def run_within_bounds(words, stderr):
    os.dup2(stderr.fileno(), 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 99
    try:
        app(words)
    except SystemExit as error:
        code = error.code or 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    # What an import loads is loaded before the bounds are set
    import segcube.backends.fit
    import segcube.backends.openvino.graphs
    import segcube.importers.lightning
    import segcube.importers.mednext
    import segcube.importers.monai_bundle
    import segcube.importers.nnunet  # noqa: F401
    from segcube.cli.app import app
    from segcube.spec.challenges import load_challenge

    commands = json.load(sys.stdin)
    load_challenge("brats2024-ssa")
    load_challenge("mbas2024")
    json.dump({name: attack(words) for name, words in commands.items()}, sys.stdout)
