"""What a process must have before it loads torch, which aborts without a word where it is missing."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from segcube.errors import EnvironmentFault

LEAST_BYTES = 2**30
"""Of address space: torch and its libraries alone take more than half."""
NOWHERE = "/proc"


def prepare_process() -> None:
    """Stand somewhere, and have room for torch. Raises EnvironmentFault for too small an address space."""
    try:
        Path.cwd()
    except OSError:
        # MKL asks for the working folder; where this one lets nobody make a file, relative paths still fail
        with contextlib.suppress(OSError):
            os.chdir(NOWHERE)
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_BYTES:
        raise EnvironmentFault(
            f"an address space of {limit / 2**20:.0f} MiB",
            expected=f"at least {LEAST_BYTES / 2**20:.0f} MiB to load torch",
            mend="raise ulimit -v",
        )
