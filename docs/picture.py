"""`make docs`: draw docs/demo.png, phantoms as the starters predict them, beside their known labels."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure, SubFigure
from PIL import Image

import segcube
from segcube.formats.nifti import read_labels, read_volume
from segcube.pages import PLANES, Column, add_legend, draw_section, label_colours, largest_section, plan_view
from segcube.phantoms import PhantomSet, write_phantoms

ROOT = Path(__file__).parents[1]
SHOWN = (("brats-starter", "t1c"), ("mbas-starter", "lge"))
"""Submission and channel."""
MARGIN_MM = 50.0
"""Around the labels."""


def draw(half: SubFigure, starter: str, channel: str, folder: Path) -> None:
    """Draw one phantom above the names of its labels: its image, its known labels, the prediction."""
    half.set_facecolor("black")
    with segcube.load(ROOT / "weights" / starter, device="cpu") as model:
        challenge = model.challenge
        (case,) = write_phantoms(PhantomSet(challenge, 1, 7), folder)
        data = folder / "data"
        prediction = model.predict(data / case if (data / case).is_dir() else data)
    volume = read_volume(prediction.case, (channel,))
    reference_xyz, _, _ = read_labels(next((folder / "labels").glob(f"{case}*")))
    view = plan_view(volume.grid, reference_xyz != 0, MARGIN_MM)
    image, known, predicted = map(view.turned, (*volume.voxels, reference_xyz, prediction.labels_xyz))
    columns = (
        Column(f"{challenge.key}: {channel}", image, np.zeros_like(known)),
        Column("known labels", image, known),
        Column("prediction", image, predicted),
    )
    index, size = largest_section(known != 0, PLANES[0].axis), PLANES[0].size_mm(view)
    for axes, column in zip(half.subplots(1, len(columns)), columns, strict=True):
        draw_section(axes, column, PLANES[0], index, size, label_colours(challenge))
        axes.set_title(column.title, color="white", fontsize=10)
    add_legend(half, challenge, "lower center", fontsize=9)


def main() -> None:
    """Draw the picture and write it with few colours, which keeps it small."""
    figure = Figure(figsize=(12, 2.7), facecolor="black", layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    halves = figure.subfigures(1, len(SHOWN), wspace=0.04)
    with tempfile.TemporaryDirectory() as folder:
        for half, (starter, channel) in zip(halves, SHOWN, strict=True):
            draw(half, starter, channel, Path(folder) / starter)
    file = ROOT / "docs" / "demo.png"
    figure.savefig(file, dpi=90)
    Image.open(file).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
