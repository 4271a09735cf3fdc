from __future__ import annotations

import math

import pytest

from segcube.training.progress.history import MOST_EVENTS, MOST_POINTS, Curve, History, read_history


def step(number: int, **values):
    return {"kind": "step", "step": number, **values}


def curve(values: dict[int, float]) -> Curve:
    found = Curve()
    for number, value in values.items():
        found.add(number, value)
    return found


def test_a_short_curve_has_each_value():
    found = curve({1: 0.5, 2: 0.25}).points()
    assert [(point.step, point.mean, point.low, point.high) for point in found] == [
        (1, 0.5, 0.5, 0.5),
        (2, 0.25, 0.25, 0.25),
    ]


@pytest.mark.parametrize("last", [MOST_POINTS, 5 * MOST_POINTS, 16 * MOST_POINTS - 1])
def test_a_long_curve_has_means_and_extremes_of_equal_ranges(last):
    values = {number: math.sin(number) for number in range(1, last + 1)}
    found = curve(values)
    ranges = [
        [number for number in values if number // found.width == index]
        for index in range(last // found.width + 1)
    ]
    points = found.points()
    assert MOST_POINTS / 2 < len(points) <= MOST_POINTS
    for point, steps in zip(points, filter(None, ranges), strict=True):
        inside = [values[number] for number in steps]
        assert point.step == pytest.approx(sum(steps) / len(steps))
        assert point.mean == pytest.approx(sum(inside) / len(inside))
        assert (point.low, point.high) == (min(inside), max(inside))


def test_rare_values_keep_their_steps():
    found = curve({5000: 0.5, 250000: 0.8})
    assert [(point.step, point.mean) for point in found.points()] == [(5000, 0.5), (250000, 0.8)]


def test_a_value_that_is_not_finite_has_no_point():
    found = read_history([step(1, loss=math.nan), step(2, loss=None), step(3, loss=0.5)])
    assert [point.step for point in found.curves["loss"].points()] == [3]
    assert found.step == 3


def test_the_curves_of_a_step_are_loss_parts_rate_and_norm():
    record = step(
        1, loss=1, dice=2, entropy=3, rate=4, gradient_norm=5, updated=True, memory_gb=6, seconds={"data": 7}
    )
    found = read_history([record])
    assert list(found.curves) == ["loss", "dice", "entropy", "rate", "gradient_norm"]
    assert list(found.losses) == ["loss", "dice", "entropy"]
    assert (found.memory_gb, found.seconds, found.skipped) == (6, {"data": 7}, 0)


def test_time_by_part_adds_up_and_speed_is_that_of_the_last_steps():
    slow = [step(number, seconds={"data": 8.0, "forward": 1.0}) for number in range(1, 51)]
    quick = [step(number, seconds={"data": 0.25, "forward": 0.25}) for number in range(51, 151)]
    found = read_history(slow + quick)
    assert found.seconds == {"data": 425.0, "forward": 75.0}
    assert found.steps_per_second == 2.0


@pytest.mark.parametrize(
    ("done", "steps", "validations"),
    [(10, 30, 2), (19, 30, 2), (20, 30, 1), (10, 35, 3), (30, 30, 0), (10, 10, 0), (35, 35, 0)],
)
def test_time_left_has_the_steps_and_validations_to_come(done, steps, validations):
    history = read_history(
        [
            {"kind": "validation", "step": 10, "mean": {}, "seconds": 100.0},
            step(done, seconds={"forward": 0.5}),
        ]
    )
    assert history.seconds_left(steps, 10) == (steps - done) * 0.5 + 100.0 * validations


def test_nothing_is_estimated_before_the_first_step():
    assert (History().seconds_left(10, 5), History().steps_per_second) == (None, None)


def test_events_are_counted_and_the_last_ones_kept():
    records = [{"kind": "event", "step": number, "event": "skipped"} for number in range(MOST_EVENTS + 5)]
    found = read_history([*records, {"kind": "event", "step": 1, "event": "memory"}])
    assert found.event_counts == {"skipped": MOST_EVENTS + 5, "memory": 1}
    assert [record["step"] for record in found.events][:1] == [6]


def test_a_validation_has_means_with_curves_and_scores():
    record = {
        "kind": "validation",
        "step": 5,
        "scores": {"a": {"WT": 0.5, "ET": None}},
        "mean": {"WT": 0.5, "ET": None},
    }
    found = read_history([record])
    assert found.validations[0].scores == {"a": {"WT": 0.5, "ET": None}}
    assert {name: curve.points()[0].mean for name, curve in found.dice.items()} == {"WT": 0.5}


def test_records_of_unknown_kinds_change_nothing():
    assert read_history([{"kind": "other", "step": 3}, {"step": 4}]) == History()
