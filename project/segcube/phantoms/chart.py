"""Draw a comparison of scans and phantoms."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segcube.phantoms.compare import Comparison, Row, Summary

SCANS, PHANTOMS = "#3cb4ff", "#f58231"
COLUMNS = 3
ROW_INCHES = 0.22


def draw_comparison(comparison: Comparison) -> bytes:
    """Draw the range of each quantity, a plot for each group and channel, as a PNG.

    A bar is the range from the 5th to the 95th percentile, a thin line that from the lowest to the highest
    value, and a point the median. The name of a row whose medians do not agree has an asterisk.
    """
    plots: dict[str, list[Row]] = {}
    for row in comparison.rows:
        unit = row.quantity.part.rpartition(" ")[2] if row.quantity.group == "size" else ""
        title = " ".join(filter(None, (row.quantity.group, row.quantity.channel, unit)))
        plots.setdefault(title, []).append(row)
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
        f"{comparison.challenge}: {len(comparison.real)} scans (blue) and {len(comparison.synthetic)} "
        "phantoms (orange)"
    )
    content = BytesIO()
    figure.savefig(content, format="png", dpi=100, metadata={"Software": "segcube"})
    return content.getvalue()


def _draw_plot(axes: Axes, title: str, rows: Sequence[Row]) -> None:
    axes.set_title(title, fontsize=9)
    for place, row in enumerate(rows):
        _draw_range(axes, place - 0.17, row.real, SCANS)
        if row.synthetic is not None:
            _draw_range(axes, place + 0.17, row.synthetic, PHANTOMS)
    names = [row.quantity.part + ("" if row.is_within and row.overlaps else " *") for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)


def _draw_range(axes: Axes, place: float, summary: Summary, colour: str) -> None:
    axes.plot((summary.lowest, summary.highest), (place, place), color=colour, linewidth=1)
    axes.plot((summary.low, summary.high), (place, place), color=colour, linewidth=5, alpha=0.5)
    axes.plot((summary.median,), (place,), "o", color=colour, markersize=4)
