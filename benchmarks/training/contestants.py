"""The two trainers: the same prepared cases, and the command line of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from versus.contestants import ORACLE, SEGCUBE

from segcube.training import PlanRequest, RunFolder, load_recipe, plan_run, prepare_run
from training.data import NAME, write_nnunet_cases

SCRIPT = Path(__file__).parent / "published" / "train_nnunet.py"


def prepare(folder: Path, challenge: str, changes: Mapping[str, Any]) -> RunFolder:
    """Plan a run from raw data and plans of nnU-Net, and write the cache of both trainers.

    changes: of the recipe nnunet.
    """
    run = RunFolder(folder / "run")
    request = PlanRequest(
        folder / "raw" / NAME,
        challenge,
        load_recipe("nnunet", changes),
        folds=folder / "splits_final.json",
        plans=folder / "plans.json",
        device="cpu",
    )
    plan_run(request, run)
    for outcome in prepare_run(run):
        if outcome.error:
            raise outcome.error
    write_nnunet_cases(run, folder / "cases")
    return run


def nnunet_command(folder: Path, out: Path, seed: int, steps: int, epoch: int) -> Sequence[str | Path]:
    """Train by nnU-Net; weights.pt is written to the folder `out`."""
    return [ORACLE, "-W", "ignore", SCRIPT, folder, str(seed), str(steps), str(epoch), out]


def segcube_command(run: RunFolder, fold: str = "0") -> Sequence[str | Path]:
    """Train a fold by segcube; `all` validates nothing."""
    return [SEGCUBE, "train", run.root, "--fold", fold, "--device", "cpu"]
