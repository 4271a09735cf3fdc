"""`make docs`: draw docs/demo.png, phantoms as the starters predict them, beside their known labels."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from PIL import Image

import segcube
from segcube.phantoms import write_phantoms
from segcube.spec.challenges import load_challenge

ROOT = Path(__file__).parents[1]
SHOWN = (("brats2023-gli", "brats-starter", "t1c", 55), ("mbas2024", "mbas-starter", "lge", 60))
"""Challenge, submission, channel, and pixels of an image around the labels."""
COLOURS = ("#e6194b", "#ffd21f", "#3cb4ff")


def columns(
    key: str, starter: str, channel: str, margin: int, folder: Path
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Title, image and labels of the columns of one phantom: its image, its known labels, the prediction."""
    challenge = load_challenge(key)
    (case,) = write_phantoms(challenge, 1, 7, folder)
    with segcube.load(ROOT / "weights" / starter, device="cpu") as model:
        prediction = model.predict(folder / "data" if key.startswith("mbas") else folder / "data" / case)
    scan = nibabel.nifti1.load(prediction.case.files[channel])
    reference_xyz = np.asarray(nibabel.nifti1.load(next((folder / "labels").glob(f"{case}*"))).dataobj)
    z = int(np.count_nonzero(reference_xyz, axis=(0, 1)).argmax())
    across, up = (np.flatnonzero(reference_xyz[:, :, z].any(axis=axis)) for axis in (1, 0))
    middle = (across[0] + across[-1]) // 2, (up[0] + up[-1]) // 2
    reach = max(across[-1] - across[0], up[-1] - up[0]) // 2 + margin

    def section(array_xyz: np.ndarray) -> np.ndarray:
        padded = np.pad(array_xyz[:, :, z], reach)
        return padded[middle[0] : middle[0] + 2 * reach, middle[1] : middle[1] + 2 * reach].T

    image = section(np.asarray(scan.dataobj))
    none = np.zeros(image.shape, dtype=int)
    return [
        (f"{key}: {channel}", image, none),
        ("known labels", image, section(reference_xyz)),
        ("prediction", image, section(prediction.labels_xyz)),
    ]


def draw(half: SubFigure, key: str, shown: list[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Draw the columns of one challenge above the names of its labels."""
    half.set_facecolor("black")
    names = [name for name, value in load_challenge(key).labels.items() if value]
    for axes, (title, image, labels) in zip(half.subplots(1, len(shown)), shown, strict=True):
        axes.imshow(image, cmap="gray", vmax=np.percentile(image, 99.5), origin="lower")
        colours = np.array([(0, 0, 0, 0), *(to_rgba(colour, 0.55) for colour in COLOURS)])
        axes.imshow(colours[labels], origin="lower")
        axes.set_title(title, color="white", fontsize=10)
        axes.set_axis_off()
    patches = [Patch(color=colour, label=name) for colour, name in zip(COLOURS, names, strict=True)]
    half.legend(handles=patches, loc="lower center", ncols=3, labelcolor="white", frameon=False, fontsize=9)


def main() -> None:
    """Draw the picture and write it with few colours, which keeps it small."""
    figure = Figure(figsize=(12, 2.7), facecolor="black", layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    halves = figure.subfigures(1, len(SHOWN), wspace=0.04)
    with tempfile.TemporaryDirectory() as folder:
        for half, entry in zip(halves, SHOWN, strict=True):
            draw(half, entry[0], columns(*entry, Path(folder) / entry[0]))
    file = ROOT / "docs" / "demo.png"
    figure.savefig(file, dpi=90)
    Image.open(file).convert("RGB").quantize(96).save(file, optimize=True)
    print(f"{file}: {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
