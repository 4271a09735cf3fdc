"""First stages of a cascade, as in the MBAS experiments: small configurations, three seeds each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from experiments.cascade import ATRIA
from experiments.commands import Training, make_phantoms, mean_scores, train_run, write_recipe
from experiments.ranks import average_ranks
from segcube.formats.nifti import read_labels
from segcube.training import RunFolder
from segcube.training.run import read_dataset, run_folds
from segcube.transforms import dilate

CASES, SEED, FOLDS, STEPS, SEEDS = 24, 11, 3, 250, 3
DILATION = 2.0
"""Voxels by which the second stage dilates the mask."""
STAGES: dict[str, Any] = {
    "features_per_stage": [8, 8, 16, 24],
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2]],
    "n_stages": 4,
}
MEDNEXT = STAGES | {"n_blocks_per_stage": [1, 2, 3, 3], "exp_ratio_per_stage": [2, 3, 4, 4]}
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "ResEncUNet": (
        "mbas-stage1",
        STAGES | {"n_blocks_per_stage": [1, 3, 4, 6], "n_conv_per_stage_decoder": [1, 1, 1]},
    ),
    "MedNeXtV2 slim": ("mbas-mednextv2-slim96", MEDNEXT),
    "MedNeXtV1 slim": ("mbas-mednextv1-slim96", MEDNEXT),
    "MedNeXtV2 super slim": (
        "mbas-mednextv2-slim96",
        MEDNEXT | {"n_blocks_per_stage": [1] * 4, "exp_ratio_per_stage": [1] * 4},
    ),
}
METRICS = {"dice": True, "hd95": False, "recall": True, "overlap": True}
"""Whether more is better. The average rank is that of Dice and HD95."""
Row = dict[str, float]


def run_first_stages(folder: Path) -> list[str]:
    """Train each configuration with each seed on one fold; returns the lines of the table."""
    challenge = ATRIA.write(folder / "atria.yaml", metrics={"profile": "plain"})
    make_phantoms(folder, "phantoms", challenge, CASES, SEED)
    data = ["phantoms/data", "--ref", "phantoms/labels", "--challenge", challenge, "--split", str(FOLDS)]
    found: dict[str, list[Row]] = {}
    for number, (title, (parent, arguments)) in enumerate(CONFIGURATIONS.items()):
        for seed in range(SEEDS):
            recipe = write_recipe(folder / f"{number}.yaml", parent, _recipe(arguments, seed))
            training = Training(f"{number}-{seed}", [*data, "--recipe", recipe], fold="0")
            found.setdefault(title, []).append(_scores(train_run(folder, training)))
    return list(_table(found))


def _recipe(arguments: dict[str, Any], seed: int) -> dict[str, Any]:
    # The optimizer of the recipe `fast`: nnU-Net's needs many more steps
    return {
        "network": {"arguments": arguments},
        "planning": {"patch": [20, 64, 64], "batch": 2},
        "preprocessing": {"spacing": [5, 5, 5]},
        "optimizer": {
            "kind": "schedule-free-adamw",
            "learning_rate": 0.004,
            "weight_decay": 0,
            "clip": 12,
        },
        "schedule": {"kind": "constant", "warmup": 40, "interval": 1},
        "steps": STEPS,
        "precision": "fp32",
        "seed": seed,
        "validation": {"every": STEPS, "cases": 1},
    }


def _scores(run: Path) -> Row:
    """Metrics of the only region, and the share of the reference within the dilated mask."""
    (row,) = mean_scores(run, ("dice", "hd95", "recall")).values()
    folder = RunFolder(run)
    dataset, maps = read_dataset(folder), folder.validated(0).maps
    shares: list[float] = []
    for name in run_folds(folder, dataset).split(0).validation:
        (file,) = maps.glob(f"{name}*")
        reference_xyz = read_labels(dataset.label(name))[0] > 0
        mask_xyz = dilate(read_labels(file)[0] > 0, (DILATION, DILATION, DILATION))
        shares.append(float(np.count_nonzero(mask_xyz & reference_xyz) / np.count_nonzero(reference_xyz)))
    return row | {"overlap": fmean(shares)}


def _table(found: dict[str, list[Row]]) -> Iterator[str]:
    trainings = [(title, row) for title, rows in found.items() for row in rows]
    by_rank = average_ranks([[row["dice"], row["hd95"]] for _, row in trainings], [True, False])
    ranks = {
        title: [rank for (name, _), rank in zip(trainings, by_rank, strict=True) if name == title]
        for title in found
    }
    yield "| rank | configuration | average rank | Dice | HD95, mm | recall | overlap |"
    yield "|---|---|---|---|---|---|---|"
    for place, title in enumerate(sorted(found, key=lambda name: fmean(ranks[name])), start=1):
        cells = [
            _spread([row[metric] for row in found[title]], 2 if metric == "hd95" else 3) for metric in METRICS
        ]
        yield f"| {place} | {title} | {fmean(ranks[title]):.2f} | {' | '.join(cells)} |"


def _spread(values: list[float], digits: int) -> str:
    return f"{fmean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
