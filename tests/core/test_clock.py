from __future__ import annotations

from collections.abc import Callable

import pytest

from segcube.core import Clock, duration
from segcube.core import clock as clock_module


@pytest.fixture
def advance(monkeypatch) -> Callable[[float], None]:
    """Advance a simulated clock by a number of seconds."""
    now = 100.0
    monkeypatch.setattr(clock_module, "perf_counter", lambda: now)

    def seconds(count: float) -> None:
        nonlocal now
        now += count

    return seconds


def test_a_step_excludes_the_steps_inside_it(advance):
    clock = Clock()
    with clock.step("outer"):
        advance(1)
        with clock.step("inner"):
            advance(2)
        advance(4)
        with clock.step("inner"):
            advance(8)
    assert clock.seconds == {"outer": 5, "inner": 10}
    assert list(clock.seconds) == ["outer", "inner"]


def test_steps_of_equal_names_add_up(advance):
    clock = Clock()
    for seconds in (1, 2):
        with clock.step("labels"):
            advance(seconds)
    assert clock.seconds == {"labels": 3}


def test_a_step_that_raises_counts_until_then(advance):
    clock = Clock()

    def fails():
        advance(2)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), clock.step("outer"), clock.step("inner"):
        fails()
    assert clock.seconds == {"outer": 0, "inner": 2}


def test_durations():
    found = [duration(seconds) for seconds in (0.26, 42.4, 62, 3599.6, 7300)]
    assert found == ["0.3 s", "42 s", "1 min 2 s", "1 h 0 min", "2 h 1 min"]
