"""Training by nnU-Net and by segcube side by side: run from the folder benchmarks/ as `python -m training`.

Compares Dice after equal training, and memory at BraTS size. Trainings that are finished are kept. Writes
docs/training-comparison.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from versus.contestants import ROOT

from training.data import heart_phantoms, heart_scans
from training.equal import DataSet, prepare_data, train_pair
from training.memory import measure_memory
from training.page import write_page

WORK = ROOT / "bench" / "training"
PHANTOMS = DataSet("phantoms", 1000, 24, 12, 0.01)
ATRIA = DataSet("atria", 2500, 8, 4, 0.02)


def main() -> None:
    """Train, and write the page."""
    parser = argparse.ArgumentParser(prog="training", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--scans", type=Path, help="folder with mbas and mbas-labels; default: only phantoms are compared"
    )
    options = parser.parse_args()
    sources = {PHANTOMS: lambda: heart_phantoms(PHANTOMS.training + PHANTOMS.validation)}
    if options.scans:
        sources[ATRIA] = lambda: heart_scans(options.scans)
    pairs = {}
    for data, scans in sources.items():
        folder = WORK / f"{data.name}-{data.steps}"
        prepare_data(data, scans, folder)
        pairs[data] = [train_pair(data, seed, folder) for seed in range(options.seeds)]
    write_page(pairs, measure_memory(WORK / "memory"), ROOT / "docs" / "training-comparison.md")


if __name__ == "__main__":
    main()
