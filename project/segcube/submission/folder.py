"""A submission's folder appears whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from segcube.errors import EnvironmentFault, UsageError
from segcube.scratch import scratch_folder


def expect_room(out: Path) -> None:
    """Check that a folder is not there yet, or empty. Raises UsageError."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError("is there already", file=out, expected="a folder that is new or empty")


@contextmanager
def whole_folder(out: Path) -> Generator[Path, None, None]:
    """A folder to fill beside `out`, which takes its place at the end; an error leaves nothing.

    Raises UsageError when `out` holds something, EnvironmentFault when it cannot be written.
    """
    expect_room(out)
    try:
        with scratch_folder(out.absolute().parent, out.name) as part:
            yield part
            with contextlib.suppress(FileNotFoundError):
                out.rmdir()
            part.rename(out)
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror or error}", file=out) from error
