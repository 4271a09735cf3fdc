"""The log of a training: JSON Lines, one object for each step, validation and event."""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from segcube.core import LOG, Clock
from segcube.training.step import StepResult

Record: TypeAlias = dict[str, Any]
"""A line: its `kind` is step, validation or event, its `step` the number of finished steps."""


@dataclass(frozen=True)
class StepLog:
    """A log file; a line that cannot be written is lost, and the training goes on.

    followers: are called with each record after it is written, such as that of `show_progress`.
    """

    file: Path
    followers: tuple[Callable[[Record], None], ...] = ()

    def write(self, record: Record) -> None:
        """Append a line; numbers that are not finite become null."""
        line = json.dumps(finite_numbers(record), separators=(",", ":"), allow_nan=False)
        size = None
        try:
            with self.file.open("ab") as opened:
                size = opened.tell()
                opened.write(line.encode() + b"\n")
        except OSError as error:
            LOG.warning("%s cannot be written: %s", self.file, error.strerror)
            if size is not None:
                # Half a line, as a full disk leaves it, would make the next one unreadable too
                with contextlib.suppress(OSError):
                    os.truncate(self.file, size)
        for follower in self.followers:
            follower(record)

    def event(self, step: int, event: str, message: str) -> None:
        """Warn of something out of the ordinary after a step, and append it."""
        LOG.warning("%s", message)
        self.write({"kind": "event", "step": step, "event": event, "message": message})

    def rewind(self, step: int, *, validated: bool = True) -> None:
        """Remove the lines after a step, and one that was written in part, before a training continues.

        validated: keep the validation after that step, which is repeated otherwise. A line between others
        that cannot be read stays; `records` leaves it out.
        """
        if not self.file.exists():
            return
        end = position = 0
        with self.file.open("rb") as opened:
            for line in opened:
                position += len(line)
                record = _parse(line)
                if record is None:
                    continue
                if _is_later(record, step, validated):
                    break
                end = position
        os.truncate(self.file, end)

    def records(self) -> Iterator[Record]:
        """Yield the lines, without those that cannot be read, such as one that is written in part."""
        if not self.file.exists():
            return
        with self.file.open("rb") as opened:
            for line in opened:
                if (record := _parse(line)) is not None:
                    yield record


def step_record(step: int, result: StepResult, rate: float, clock: Clock) -> Record:
    """Return the line of a step: its losses, what its parts took, and the peak of memory."""
    seconds = {name: round(value, 6) for name, value in clock.seconds.items()}
    return {
        "kind": "step",
        "step": step,
        **result.losses,
        "rate": rate,
        "gradient_norm": result.gradient_norm,
        "updated": result.updated,
        "seconds": seconds,
        "memory_gb": round(memory_gb(), 3),
    }


def memory_gb() -> float:
    """Return the peak memory of this process, of the GPU where one is used, in GB."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def finite_numbers(value: Any) -> Any:
    """Replace numbers that JSON does not have by None, in nested mappings and lists."""
    if isinstance(value, dict):
        return {key: finite_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_numbers(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_later(record: Record, step: int, validated: bool) -> bool:
    found = record.get("step", 0)
    if found != step or validated:
        return found > step
    return "validation" in (record.get("kind"), record.get("event"))


def _parse(line: bytes) -> Record | None:
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
