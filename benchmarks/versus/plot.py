"""Draw wall time and peak memory of every contestant, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from versus.contestants import CONTESTANTS
from versus.results import RowResult

GREYS = {"nnunet": "#7a7a7a", "nnunet-kept": "#9d9d9d", "monai": "#bcbcbc"}
BLUES = {"fp32": "#1f6fb4", "fp16": "#1f6fb4", "bf16": "#12406a", "torch": "#8fbbe0"}
COLOURS = GREYS | BLUES
ROW_INCHES, BAR_INCHES = 0.55, 0.24


def draw(results: Sequence[RowResult], file: Path) -> None:
    """Draw the rows with nnU-Net; nothing if there is none."""
    drawn = [result for result in results if result.of("nnunet")]
    if not drawn:
        return
    shown = [[key for key in CONTESTANTS if result.of(key)] for result in drawn]
    heights = [len(keys) for keys in shown]
    figure, grid = plt.subplots(
        len(drawn),
        2,
        figsize=(10, sum(heights) * BAR_INCHES + len(drawn) * ROW_INCHES),
        gridspec_kw={"height_ratios": heights, "wspace": 0.08},
        squeeze=False,
        layout="constrained",
    )
    for result, keys, (left, right) in zip(drawn, shown, grid, strict=True):
        _bars(left, result, keys, "wall_seconds")
        _bars(right, result, keys, "peak_bytes")
        left.set_title(f"{result.row.name}: wall time, s", loc="left", fontsize=10)
        right.set_title("peak memory, GB", loc="left", fontsize=10)
        left.set_yticks(range(len(keys)), [CONTESTANTS[key].title for key in keys])
        right.set_yticks([])
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _bars(axes: Axes, result: RowResult, keys: Sequence[str], number: str) -> None:
    """Draw a bar for each contestant, labelled with its median."""
    scale, digits = (1.0, 1) if number == "wall_seconds" else (1e9, 2)
    spreads = [result.spread(key, number) for key in keys]
    values = [spread.median / scale if spread else 0.0 for spread in spreads]
    bars = axes.barh(range(len(keys)), values, color=[COLOURS[key] for key in keys], height=0.78)
    axes.bar_label(bars, [f"{value:.{digits}f}" for value in values], padding=3, fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
