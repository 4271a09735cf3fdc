"""A started process, waited for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a started process ended."""

    code: int | None
    """None: it was stopped after its time."""
    log: str
    """What it said, on stdout and stderr."""
    seconds: float


def run_to_end(
    words: Sequence[str], limit_s: float, *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> Ended:
    """Start a command and wait; one that outlasts its limit is killed."""
    begun = time.monotonic()
    try:
        ended = subprocess.run(
            words,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        said = expired.output or b""
        log = said if isinstance(said, str) else said.decode(errors="replace")
        return Ended(None, log, time.monotonic() - begun)
    return Ended(ended.returncode, ended.stdout, time.monotonic() - begun)
