from __future__ import annotations

import re
from xml.etree.ElementTree import Element, tostring

import pytest

from segcube.training.progress.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    line_chart,
    ticks,
    value_range,
)
from segcube.training.progress.history import Curve


def curve(values: dict[int, float]) -> Curve:
    found = Curve()
    for step, value in values.items():
        found.add(step, value)
    return found


def lines(chart: Element) -> list[list[tuple[float, float]]]:
    """The places of each line's points."""
    found = (line.get("points", "") for line in chart.iter("polyline"))
    return [[tuple(map(float, place.split(","))) for place in points.split()] for points in found]


def test_a_line_spans_the_plot():
    (line,) = lines(line_chart("dice", "Dice", {"WT": curve({50: 0.0, 100: 1.0})}, unit_range=True))
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    assert line == [(middle, HEIGHT - BOTTOM), (WIDTH - RIGHT, TOP)]


def test_each_curve_has_a_line_of_its_own_kind_and_a_legend_with_its_last_value():
    chart = line_chart(
        "dice", "Dice", {"WT": curve({1: 0.25, 2: 0.5}), "ET": curve({1: 0.125})}, unit_range=True
    )
    kinds = [line.get("class") for line in chart.iter("polyline")]
    assert kinds == ["line line0", "line line1"]
    assert ["".join(entry.itertext()).split() for entry in chart.iter("li")] == [
        ["WT", "0.5"],
        ["ET", "0.125"],
    ]


def test_the_text_of_a_chart_states_what_it_shows():
    chart = line_chart("loss", "Loss", {"loss": curve({1: 2.0, 2: 0.5, 3: 1.0})})
    (text,) = (found.text for found in chart.iter("desc"))
    assert text == "loss: first 2 at step 1, lowest 0.5 at step 2, highest 2 at step 1, last 1 at step 3"
    (drawing,) = (found for found in chart.iter("svg") if found.get("role") == "img")
    assert drawing.get("aria-labelledby") == "loss-title loss-text"


def test_a_chart_without_values_states_so():
    chart = line_chart("loss", "Loss", {"loss": Curve()})
    assert "".join(chart.itertext()) == "Loss: no values yet"


def test_a_long_curve_has_a_band_from_lowest_to_highest():
    chart = line_chart("loss", "Loss", {"loss": curve({step: step % 2 for step in range(1, 5000)})})
    assert len(list(chart.iter("polygon"))) == 1
    assert "means of 16 steps" in "".join(chart.itertext())
    assert len(tostring(chart)) < 40_000


def test_a_few_extreme_values_do_not_set_the_axis():
    low, high = value_range([*(index / 1000 for index in range(1000)), 500.0])
    assert (low, high) == (pytest.approx(0.0, abs=0.1), pytest.approx(1.0, abs=0.1))
    assert value_range([1.0, 2.0, 500.0]) == (pytest.approx(-23.95), pytest.approx(524.95))


def test_values_outside_the_axis_are_counted():
    chart = line_chart(
        "loss", "Loss", {"loss": curve({step: 1e6 if step == 9 else step for step in range(1, 200)})}
    )
    assert "1 of 199 means lie outside" in "".join(chart.itertext())


@pytest.mark.parametrize("value", [0.0, 0.01, -3.0])
def test_a_constant_has_an_axis(value):
    low, high = value_range([value, value])
    assert low < value < high


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 250000.0, [0.0, 50000.0, 100000.0, 150000.0, 200000.0, 250000.0]),
        (-1.05, -0.35, [-1.0, -0.8, -0.6, -0.4]),
        (0.0, 1e-6, [0.0, 2e-7, 4e-7, 6e-7, 8e-7, 1e-6]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_names_of_regions_are_escaped():
    text = tostring(line_chart("dice", "Dice", {"<WT>": curve({1: 0.5})})).decode()
    assert not re.search("<WT>", text)
    assert "&lt;WT&gt;" in text
