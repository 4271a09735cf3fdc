"""Entrypoint of the image: runs the segcube command for a host's arguments and mounts."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from segcube.cli import main as run
from segcube.core import DEBUG_VARIABLE
from segcube.spec.hosts import DEFAULT_MOUNTS, MOUNTS_UNDER_VARIABLE, segcube_command

CACHES = {
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
}
"""Environment variables of cache folders, and the folders' names."""


def main() -> None:
    """Run the command for the arguments or the mounted folders; exit with 2 if there are neither."""
    _prepare_environment()
    arguments = sys.argv[1:]
    if "--debug" in arguments:
        # Anywhere, even where the host passes no arguments and before a command
        arguments.remove("--debug")
        os.environ[DEBUG_VARIABLE] = "1"
    if Path(sys.argv[0]).name == "predict.py":
        arguments = ["predict.py", *arguments]
    command = segcube_command(arguments, Path(os.environ.get(MOUNTS_UNDER_VARIABLE, "/")))
    if command is None:
        pairs = "\n".join(f"  /{m.data} and /{m.output}  ({m.name})" for m in DEFAULT_MOUNTS)
        sys.stderr.write(
            "error: no arguments, and none of the known pairs of folders is mounted:\n"
            f"{pairs}\nMount one of them, or pass: infer --data_path=... --output_path=...\n"
        )
        raise SystemExit(2)
    run(command)


def _prepare_environment() -> None:
    """Set a user name, home and cache folders for libraries; a container may have none of them."""
    os.environ.setdefault("USER", "segcube")
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError:
        return
    os.environ["HOME"] = temporary
    for name, folder in CACHES.items():
        os.environ[name] = str(Path(temporary) / folder)


if __name__ == "__main__":
    main()
