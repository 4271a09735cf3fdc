from __future__ import annotations

import time

import pytest

from segcube.predict.clock import Clock


def test_a_step_inside_another_counts_for_itself_alone():
    clock = Clock()
    start = time.perf_counter()
    with clock.step("outer"):
        with clock.step("inner"):
            time.sleep(0.02)
        with clock.step("inner"):
            time.sleep(0.02)
    assert clock.seconds["inner"] >= 0.04
    assert sum(clock.seconds.values()) <= time.perf_counter() - start
    assert list(clock.seconds) == ["outer", "inner"]


def test_steps_of_one_name_add_up():
    clock = Clock()
    for _ in range(2):
        with clock.step("labels"):
            time.sleep(0.01)
    assert clock.seconds["labels"] >= 0.02


def test_a_step_that_fails_counts_until_then():
    clock = Clock()

    def fails():
        time.sleep(0.02)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), clock.step("outer"), clock.step("inner"):
        fails()
    assert clock.seconds["inner"] >= 0.02
    assert 0 <= clock.seconds["outer"] < clock.seconds["inner"]
