"""The one way into other people's checkpoints."""

from __future__ import annotations

import gc
import mmap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segcube.checkpoints.foreign.inert import RefusedPickle
from segcube.checkpoints.foreign.layouts import read_layout
from segcube.errors import EnvironmentFault

EXPECTED = "tensors, numpy arrays, plain containers and the settings of known trainers"
LONGEST = 500
"""Letters of an error, which may quote the file."""
MEND = "save the state_dict alone, or fetch the file again"


def open_checkpoint(file: Path) -> Any:
    """The tree of a checkpoint: plain values, tensors, arrays, and `Inert` for listed foreign classes.

    Reads torch's zip and older layouts (.pth, .pt, .ckpt, .model) and bare pickles (.pkl). Tensors are views
    of the file, read when they are used, and may be changed: the file is not. Nothing that the file holds is
    run. Raises EnvironmentFault for a missing, empty or damaged file and for names that are not on the list.
    """
    try:
        with file.open("rb") as opened:
            data = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is empty"
        raise EnvironmentFault(f"cannot be read: {told}", file=file, expected="a checkpoint") from error
    try:
        with _without_collector():
            return read_layout(data)
    except RefusedPickle as error:
        raise EnvironmentFault(
            f"holds {str(error)[:LONGEST]}", file=file, expected=EXPECTED, mend=MEND
        ) from error


@contextmanager
def _without_collector() -> Generator[None, None, None]:
    """Pause Python's collector of circles, which goes through all values again and again as they grow."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
