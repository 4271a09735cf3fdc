"""The time and accuracy of each `--preset`: the starters on synthetic cases of another seed.

`presets.py [COUNT]`: cases for each starter, 6 by default, on the CPU.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from cases import write_cases
from rich.console import Console
from rich.table import Table
from starters import ROOT, SEED, STARTERS

from segcube.core import FORWARD, ExitCode, Preset, RunSettings
from segcube.evaluation import evaluate_folder
from segcube.formats.nifti import read_labels
from segcube.inference.folder import Request, run_folder
from segcube.spec.challenges import load_challenge

CASES = 6
PRESETS: tuple[Preset, ...] = tuple(reversed(get_args(Preset)))
"""full first: the reference of the others."""


@dataclass(frozen=True)
class Found:
    """One preset over the cases."""

    cpu: float
    """CPU seconds of a case, reading, preprocessing and writing included."""
    predict: float
    """Wall seconds of a case in windows and networks."""
    dice: dict[str, float]
    """Mean of each region."""
    maps: dict[str, np.ndarray]


def measure(key: str, name: str, preset: Preset, folder: Path) -> Found:
    """Run a starter with a preset on `folder`/data and score it."""
    maps, report = folder / f"maps-{preset}", folder / f"{preset}.json"
    settings = RunSettings(device="cpu", preset=preset)
    request = Request(folder / "data", maps, ROOT / "weights" / name, settings, report)
    start = time.process_time()
    ended = run_folder(request)
    cpu = time.process_time() - start
    if ended != ExitCode.DONE:
        raise SystemExit(f"{name} with preset {preset} ended with {int(ended)}")
    cases = json.loads(report.read_text())["cases"]
    predict = sum(s for case in cases for step, s in case["seconds"].items() if predicts(step))
    scores = evaluate_folder(maps, folder / "labels", load_challenge(key), "plain")
    dice = {region: metrics["dice"] for region, metrics in scores.mean.items()}
    arrays = {file.name: read_labels(file)[0] for file in sorted(maps.iterdir())}
    return Found(cpu / len(cases), predict / len(cases), dice, arrays)


def predicts(step: str) -> bool:
    """Whether presets shorten a step of the report."""
    return step == FORWARD or step.startswith("windows ")


def differing(found: Found, full: Found) -> float:
    """Fraction of the voxels that are foreground in either map whose labels differ, mean over cases."""
    shares = []
    for name, labels_xyz in found.maps.items():
        foreground = np.count_nonzero((labels_xyz > 0) | (full.maps[name] > 0))
        shares.append(np.count_nonzero(labels_xyz != full.maps[name]) / max(foreground, 1))
    return float(np.mean(shares))


def table(name: str, count: int, found: Mapping[Preset, Found]) -> Table:
    """A row for each preset, compared with full."""
    full = found["full"]
    shown = Table(title=f"{name}, {count} synthetic cases of seed {SEED}, CPU")
    for column in ("preset", "CPU s a case", "predict s a case", *full.dice, "voxels that differ from full"):
        shown.add_column(column)
    for preset, this in found.items():
        dice = [
            f"{this.dice[region]:.3f} ({this.dice[region] - full.dice[region]:+.3f})" for region in full.dice
        ]
        shown.add_row(
            preset,
            f"{this.cpu:.2f} ({this.cpu / full.cpu:.2f})",
            f"{this.predict:.2f} ({this.predict / full.predict:.2f})",
            *dice,
            f"{differing(this, full):.1%}",
        )
    return shown


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    for key, name in STARTERS.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_cases(key, count, folder, SEED)
            found: dict[Preset, Found] = {preset: measure(key, name, preset, folder) for preset in PRESETS}
            Console(width=120).print(table(name, count, found))


if __name__ == "__main__":
    main()
