"""Line charts as inline SVG, readable on light and dark pages and without colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from segcube.training.progress.history import Curve, Point
from segcube.training.progress.markup import node

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 10, 36
"""Margins of the plot."""
STYLES = 8
"""Kinds of lines that the style sheet has, by colour and dashes."""
MOST_MARKED = 60
"""Points of a line up to which each is marked."""
LEAST_FOR_OUTLIERS = 50
"""Values of a chart from which its axis leaves out the extreme percents, where these would dominate it."""


def line_chart(name: str, title: str, curves: Mapping[str, Curve], *, unit_range: bool = False) -> Element:
    """Return a figure of curves over steps: lines of the means, in a band from minimum to maximum.

    name: identifies the chart on its page. unit_range: the axis shows 0 to 1, for Dice. Without a point
    the figure states that.
    """
    lines = {label: found for label, curve in curves.items() if (found := curve.points())}
    if not lines:
        return node("figure", node("figcaption", f"{title}: no values yet"))
    points = [point for found in lines.values() for point in found]
    values = [value for point in points for value in (point.low, point.mean, point.high)]
    low, high = (0.0, 1.0) if unit_range else value_range(values)
    scale = Scale(0.0, max(*(point.step for point in points), 1.0), low, high)
    parts = [node("rect", x=LEFT, y=TOP, width=scale.across, height=scale.down)]
    clip = node("defs", node("clipPath", *parts, id=f"{name}-clip"))
    drawn = node("g", **{"clip-path": f"url(#{name}-clip)"})
    for number, found in enumerate(lines.values()):
        drawn.extend(_draw(found, scale, f"line{number % STYLES}"))
    summary = "; ".join(f"{label}: {summarize(found)}" for label, found in lines.items())
    chart = node(
        "svg",
        node("title", title, id=f"{name}-title"),
        node("desc", summary, id=f"{name}-text"),
        clip,
        *_axes(scale),
        drawn,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        labelled_by=f"{name}-title {name}-text",
    )
    return node("figure", node("figcaption", title), chart, _legend(lines), *_notes(curves, points, scale))


class Scale:
    """From steps and values to places in the chart."""

    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self.first, self.last, self.low, self.high = first, last, low, high

    def x(self, step: float) -> float:
        """Return the place of a step from the left."""
        return LEFT + (step - self.first) / (self.last - self.first) * self.across

    def y(self, value: float) -> float:
        """Return the place of a value from the top; far ones end a plot's height outside."""
        share = (value - self.low) / (self.high - self.low)
        return TOP + (1 - min(max(share, -1.0), 2.0)) * self.down


def value_range(values: Sequence[float]) -> tuple[float, float]:
    """Return the range of an axis.

    It holds all values, unless the highest and lowest hundredth would take more than half of it.
    """
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    if len(ordered) >= LEAST_FOR_OUTLIERS:
        cut = max(len(ordered) // 100, 1)
        inner_low, inner_high = ordered[cut], ordered[-1 - cut]
        if inner_high > inner_low and high - low > 2 * (inner_high - inner_low):
            low, high = inner_low, inner_high
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers within a range: multiples of 1, 2 or 5 times a power of ten, at most `most`."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if (high - low) / (power * factor) <= most - 1)
    return [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def number(value: float) -> str:
    """Return a number with four digits and separated thousands, without an exponent where it is readable."""
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.4g}"
    return f"{value:.3e}"


def summarize(points: Sequence[Point]) -> str:
    """Return the first, the lowest, the highest and the last mean of a line, with their steps, as text."""
    first, last = points[0], points[-1]
    low, high = min(points, key=lambda p: p.mean), max(points, key=lambda p: p.mean)
    named = (("first", first), ("lowest", low), ("highest", high), ("last", last))
    return ", ".join(f"{word} {number(p.mean)} at step {number(round(p.step))}" for word, p in named)


def _draw(points: Sequence[Point], scale: Scale, kind: str) -> list[Element]:
    places = [(scale.x(point.step), point) for point in points]
    line = " ".join(f"{x:.1f},{scale.y(point.mean):.1f}" for x, point in places)
    drawn: list[Element] = []
    if any(point.high > point.low for point in points):
        upper = [f"{x:.1f},{scale.y(point.high):.1f}" for x, point in places]
        lower = [f"{x:.1f},{scale.y(point.low):.1f}" for x, point in reversed(places)]
        drawn.append(node("polygon", points=" ".join(upper + lower), kind=f"band {kind}"))
    drawn.append(node("polyline", points=line, kind=f"line {kind}"))
    if len(points) <= MOST_MARKED:
        drawn += [
            node("circle", cx=f"{x:.1f}", cy=f"{scale.y(point.mean):.1f}", r=2.5, kind=f"mark {kind}")
            for x, point in places
        ]
    return drawn


def _axes(scale: Scale) -> list[Element]:
    drawn: list[Element] = []
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in ticks(scale.low, scale.high):
        y = f"{scale.y(value):.1f}"
        drawn.append(node("line", x1=LEFT, x2=right, y1=y, y2=y, kind="grid"))
        drawn.append(node("text", number(value), x=LEFT - 6, y=y, kind="left"))
    for step in ticks(scale.first, scale.last):
        x = f"{scale.x(step):.1f}"
        drawn.append(node("line", x1=x, x2=x, y1=bottom, y2=bottom + 4, kind="axis"))
        drawn.append(node("text", number(step), x=x, y=bottom + 16, kind="below"))
    drawn.append(node("line", x1=LEFT, x2=right, y1=bottom, y2=bottom, kind="axis"))
    drawn.append(node("text", "step", x=right, y=HEIGHT - 4, kind="end"))
    return drawn


def _legend(lines: Mapping[str, Sequence[Point]]) -> Element:
    entries: list[Element] = []
    for index, (label, points) in enumerate(lines.items()):
        stroke = node("line", x1=0, x2=28, y1=5, y2=5, kind=f"line line{index % STYLES}")
        sample = node("svg", stroke, viewBox="0 0 28 10", kind="sample", **{"aria-hidden": "true"})
        entries.append(node("li", sample, f" {label} ", node("span", number(points[-1].mean), kind="value")))
    return node("ul", *entries, kind="legend")


def _notes(curves: Mapping[str, Curve], points: Sequence[Point], scale: Scale) -> list[Element]:
    notes: list[str] = []
    if any(point.high > point.low for point in points):
        width = max(curve.width for curve in curves.values())
        notes.append(f"Lines: means of {width} steps; bands: their lowest to highest value.")
    if outside := sum(not scale.low <= point.mean <= scale.high for point in points):
        notes.append(f"{outside} of {len(points)} means lie outside the axis.")
    return [node("p", " ".join(notes), kind="note")] if notes else []
