"""A run of four small atrial cases, on which a small network trains within seconds."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

from segcube.training.recipes import load_recipe
from segcube.training.run import PlanRequest, RunFolder, TrainOptions, plan_run, prepare_run, train_fold

SHAPE = (24, 20, 16)
OVERRIDES = {
    "planning": {"rules": "fixed", "patch": [8, 16, 16], "batch": 2, "base_features": 4, "most_features": 8},
    "preprocessing": {"spacing": [1, 1, 1]},
    "steps": 4,
    "epoch": 2,
    "validation": {"every": 4, "cases": 1},
    "schedule": {"warmup": 0},
}


def write_data(folder: Path, count: int = 4, image_suffix: str = "_gt") -> Path:
    """Cases of three bright boxes on a dark, noisy ground, with their labels beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        rng = np.random.default_rng(number)
        labels_xyz = np.zeros(SHAPE, np.uint8)
        for value, start in zip((1, 2, 3), (2, 8, 14), strict=True):
            x = start + rng.integers(0, 3)
            labels_xyz[x : x + 5, number : number + 10, 3:12] = value
        image_xyz = (100 + 200 * labels_xyz + rng.normal(0, 10, SHAPE)).astype(np.float32)
        affine = np.diag([-1.0, -1.0, 1.0, 1.0])
        nib.save(nib.Nifti1Image(image_xyz, affine), folder / f"MBAS_{number:03d}{image_suffix}.nii.gz")
        nib.save(nib.Nifti1Image(labels_xyz, affine), folder / f"MBAS_{number:03d}_label.nii.gz")
    return folder


def request_of(data: Path, **changes) -> PlanRequest:
    values = {"challenge": "mbas2024", "recipe": load_recipe("fast", OVERRIDES), "folds": 2, "device": "cpu"}
    return PlanRequest(data=data, **values | changes)


def trained_run(request: PlanRequest, run: RunFolder) -> RunFolder:
    """Plan, prepare and train both folds of a run."""
    plan_run(request, run)
    assert all(outcome.error is None for outcome in prepare_run(run))
    for fold in (0, 1):
        train_fold(run, fold, TrainOptions(device="cpu"))
    return run


def planned_run(folder: Path) -> RunFolder:
    """Plan a run of the small cases, which lie in folder/data."""
    run = RunFolder(folder / "run")
    plan_run(request_of(write_data(folder / "data")), run)
    return run


def prepared_run(folder: Path) -> RunFolder:
    """Plan and prepare a run of the small cases."""
    run = planned_run(folder)
    assert all(outcome.error is None for outcome in prepare_run(run))
    return run
