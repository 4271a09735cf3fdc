"""Draw a comparison of scans and phantoms."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segcube.core import count_of
from segcube.phantoms.compare import Comparison, Row, Summary
from segcube.phantoms.measure import COMPONENTS, Quantity

SCANS, PHANTOMS = "#3cb4ff", "#f58231"
COLUMNS = 3
ROW_INCHES = 0.22


def draw_comparison(comparison: Comparison) -> bytes:
    """Draw the range of each quantity, a plot for each group and channel, as a PNG.

    A bar is the range from the 5th to the 95th percentile, a thin line that from minimum to maximum, and a
    point the median. A row whose median of the scans is outside the phantoms' bar has an asterisk.
    """
    plots: dict[str, list[Row]] = {}
    for row in comparison.rows:
        plots.setdefault(_title(row.quantity), []).append(row)
    lines = -(-len(plots) // COLUMNS)
    tallest = max((len(rows) for rows in plots.values()), default=1)
    height = lines * (tallest * ROW_INCHES + 0.7) + 0.8
    figure = Figure(figsize=(5 * COLUMNS, height), layout="constrained")
    grid = figure.subplots(max(lines, 1), COLUMNS, squeeze=False)
    for axes in grid.flat[len(plots) :]:
        axes.set_axis_off()
    for axes, (title, rows) in zip(grid.flat, plots.items(), strict=False):
        _draw_plot(axes, title, rows)
    figure.suptitle(
        f"{comparison.challenge}: {count_of(len(comparison.scans), 'scan')} (blue) and "
        f"{count_of(len(comparison.phantoms), 'phantom')} (orange)\n"
        "point: median; bar: 5th to 95th percentile; line: min to max; "
        "*: the scans' median is outside the phantoms' bar"
    )
    content = BytesIO()
    figure.savefig(content, format="png", dpi=100, metadata={"Software": "segcube"})
    return content.getvalue()


def _title(quantity: Quantity) -> str:
    """The plot of a quantity: those of one unit and of one order of magnitude share an axis."""
    group, part, channel = quantity
    if group == "size":
        group = f"{group} of {'the brain' if part.startswith('brain ') else 'regions'}"
        return f"{group}, {part.rpartition(' ')[2]}"
    if group == "composition":
        return "composition, " + ("number" if part == COMPONENTS else "share of labelled voxels")
    return f"{group}, {channel}"


def _draw_plot(axes: Axes, title: str, rows: Sequence[Row]) -> None:
    axes.set_title(title, fontsize=9)
    for place, row in enumerate(rows):
        _draw_range(axes, place - 0.17, row.scans, SCANS)
        if row.phantoms is not None:
            _draw_range(axes, place + 0.17, row.phantoms, PHANTOMS)
    names = [row.quantity.part + ("" if row.is_within else " *") for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)


def _draw_range(axes: Axes, place: float, summary: Summary, colour: str) -> None:
    axes.plot((summary.min, summary.max), (place, place), color=colour, linewidth=1)
    axes.plot((summary.p5, summary.p95), (place, place), color=colour, linewidth=5, alpha=0.5)
    axes.plot((summary.median,), (place,), "o", color=colour, markersize=4)
