from __future__ import annotations

from collections.abc import Callable

import pytest

from segcube.core import Clock
from segcube.core import clock as module


@pytest.fixture
def passes(monkeypatch) -> Callable[[float], None]:
    """Let so many seconds pass; no others do."""
    now = 100.0
    monkeypatch.setattr(module, "perf_counter", lambda: now)

    def seconds(count: float) -> None:
        nonlocal now
        now += count

    return seconds


def test_a_step_inside_another_counts_for_itself_alone(passes):
    clock = Clock()
    with clock.step("outer"):
        passes(1)
        with clock.step("inner"):
            passes(2)
        passes(4)
        with clock.step("inner"):
            passes(8)
    assert clock.seconds == {"outer": 5, "inner": 10}
    assert list(clock.seconds) == ["outer", "inner"]


def test_steps_of_one_name_add_up(passes):
    clock = Clock()
    for seconds in (1, 2):
        with clock.step("labels"):
            passes(seconds)
    assert clock.seconds == {"labels": 3}


def test_a_step_that_fails_counts_until_then(passes):
    clock = Clock()

    def fails():
        passes(2)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), clock.step("outer"), clock.step("inner"):
        fails()
    assert clock.seconds == {"outer": 0, "inner": 2}
