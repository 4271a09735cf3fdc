"""Seconds to score one case of a dozen lesions by each profile, and several cases with more workers."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from rich.console import Console
from rich.table import Table

from segcube.evaluation import evaluate_folder
from segcube.evaluation.profiles.score import score_labels
from segcube.spec.challenges import load_challenge

SHAPE = (240, 240, 155)
LESIONS, CASES = 12, 8
GOAL = 2.0
CHALLENGES = (
    "brats2023-gli",
    "brats2024-ssa",
    "brats2024-met",
    "brats2024-ped",
    "brats2024-gli",
    "brats2026-met",
)


def random_pair(labels: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A prediction and its reference: nested balls of labels, the prediction shifted."""
    rng = np.random.default_rng(seed)
    reference_xyz = np.zeros(SHAPE, dtype=np.uint8)
    grid = np.ogrid[tuple(slice(0, length) for length in SHAPE)]
    for _ in range(LESIONS):
        middle = [int(rng.integers(20, length - 20)) for length in SHAPE]
        radius = rng.uniform(4, 22)
        away = sum((axis - place) ** 2 for axis, place in zip(grid, middle, strict=True))
        for share, label in zip(np.linspace(1, 0.4, len(labels)), labels, strict=True):
            reference_xyz[away < (share * radius) ** 2] = label
    return np.roll(reference_xyz, (2, 1, 1), (0, 1, 2)), reference_xyz


def seconds(key: str, profile: str | None = None) -> float:
    """CPU seconds of one case, the better of two."""
    challenge = load_challenge(key)
    pair = random_pair(tuple(value for value in challenge.labels.values() if value)[:4], seed=0)
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        score_labels(*pair, (1.0, 1.0, 1.0), challenge, profile)
        best = min(best, time.process_time() - start)
    return best


def wall(folder: Path, workers: int) -> float:
    start = time.perf_counter()
    evaluate_folder(folder / "pred", folder / "ref", load_challenge("brats2023-gli"), workers=workers)
    return time.perf_counter() - start


def main() -> None:
    table = Table("what", "found", "goal")
    for key in CHALLENGES:
        table.add_row(f"one case, {key}", f"{seconds(key):.2f} s", f"<= {GOAL:g} s")
    for profile in ("plain", "mbas"):
        table.add_row(f"one case, {profile}", f"{seconds('brats2023-gli', profile):.2f} s", f"<= {GOAL:g} s")
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("pred", "ref"):
            (folder / name).mkdir()
        for number in range(CASES):
            for name, labels_xyz in zip(("pred", "ref"), random_pair((2, 1, 3), number), strict=True):
                file = folder / name / f"BraTS-GLI-{number:05d}-000.nii.gz"
                nib.save(nib.Nifti1Image(labels_xyz, np.eye(4)), file)
        alone, together = wall(folder, 1), wall(folder, cores)
    table.add_row(f"{CASES} cases, {cores} workers against 1", f"{alone:.1f} s, {together:.1f} s", "-")
    table.add_row("peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB", "-")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
