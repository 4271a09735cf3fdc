"""The image's entrypoint: what a host said, as a command of segcube."""

from __future__ import annotations

import sys

from segcube.cli import app
from segcube.hosts import BARE_MOUNTS, command_of


def main() -> None:
    """Run what the arguments or the mounted folders mean; explain itself where there is neither."""
    command = command_of(sys.argv[1:])
    if command is None:
        pairs = "\n".join(f"  {m.data} and {m.output}  ({m.name})" for m in BARE_MOUNTS)
        sys.stderr.write(
            "error: no arguments, and none of the known pairs of folders is mounted:\n"
            f"{pairs}\nMount one, or say: infer --data_path=... --output_path=...\n"
        )
        raise SystemExit(2)
    app(command)


if __name__ == "__main__":
    main()
