"""The image's entrypoint: what a host said, as a command of segcube."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from segcube.cli.app import main as run
from segcube.spec.hosts import UNDER
from segcube.spec.hosts.command import BARE_MOUNTS, command_of

CACHES = {
    "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba",
}


def main() -> None:
    """Run what the arguments or the mounted folders mean; explain itself where there is neither."""
    _settle()
    arguments = sys.argv[1:]
    if Path(sys.argv[0]).name == "predict.py":
        arguments = ["predict.py", *arguments]
    command = command_of(arguments, Path(os.environ.get(UNDER, "/")))
    if command is None:
        pairs = "\n".join(f"  {m.data} and {m.output}  ({m.name})" for m in BARE_MOUNTS)
        sys.stderr.write(
            "error: no arguments, and none of the known pairs of folders is mounted:\n"
            f"{pairs}\nMount one, or say: infer --data_path=... --output_path=...\n"
        )
        raise SystemExit(2)
    run(command)


def _settle() -> None:
    """Give libraries a user's name and a place for what they keep: a container may have neither."""
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
