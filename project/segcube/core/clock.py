"""Where the time of a case goes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

FORWARD = "forward"
"""The step inside the networks; a GPU's goes on after it, so none is told there."""


@dataclass
class Clock:
    """Wall time of each step of a case, in seconds; a step inside another counts for itself alone."""

    seconds: dict[str, float] = field(default_factory=dict)
    _inside: float = 0.0

    @contextmanager
    def step(self, name: str) -> Generator[None, None, None]:
        """Add the time inside to the step of that name."""
        self.seconds.setdefault(name, 0.0)
        before, self._inside = self._inside, 0.0
        start = perf_counter()
        try:
            yield
        finally:
            took = perf_counter() - start
            self.seconds[name] += took - self._inside
            self._inside = before + took
