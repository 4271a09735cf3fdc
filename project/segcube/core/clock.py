"""Wall time of the steps of a case, and times in words."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

FORWARD = "forward"
"""The step of the networks' forward passes on a CPU.

A GPU computes asynchronously, so there the enclosing step includes them.
"""


@dataclass
class Clock:
    """Wall time of each step of a case, in seconds.

    Steps may be nested and repeated: a step excludes the steps inside it, and equal names add up.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    """By step, in the order in which the steps began."""
    _nested: float = 0.0
    """Time of the finished steps directly inside the current one."""

    @contextmanager
    def step(self, name: str) -> Generator[None, None, None]:
        """Add the time spent inside this context to the named step, also when it raises."""
        self.seconds.setdefault(name, 0.0)
        nested_before, self._nested = self._nested, 0.0
        start = perf_counter()
        try:
            yield
        finally:
            elapsed = perf_counter() - start
            self.seconds[name] += elapsed - self._nested
            self._nested = nested_before + elapsed


def duration(seconds: float) -> str:
    """Seconds in words of days, hours, minutes and seconds, to two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} days {hours % 24} h"
