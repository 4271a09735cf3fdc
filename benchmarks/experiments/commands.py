"""Run segcube's commands in a folder, and read the scores that they write. Repeated commands continue."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from versus.contestants import ROOT, SEGCUBE

from segcube.spec.challenges import load_challenge

WORK = ROOT / "bench" / "experiments"


def segcube(folder: Path, *words: str | Path) -> None:
    """Run a command in a folder; its output is appended to log.txt. Raises for a failure."""
    with (folder / "log.txt").open("ab") as log:
        subprocess.run([SEGCUBE, *words], cwd=folder, check=True, stdout=log, stderr=log)


def write_challenge(key: str, shape: Sequence[int], spacing: Sequence[float], file: Path) -> None:
    """Write a challenge whose phantoms have a coarse grid, on which a CPU trains within minutes."""
    content = load_challenge(key).model_dump(mode="json")
    content |= {"key": f"{key}-coarse", "geometry": {"fixed": False, "grids": []}}
    content["geometry"]["grids"] = [{"shape": list(shape), "spacing": list(spacing), "orientation": "LPS"}]
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def write_recipe(file: Path, parent: str, changes: Mapping[str, Any]) -> None:
    """Write a recipe that inherits from another."""
    file.write_text(
        yaml.safe_dump({"inherit": parent, "source": "an experiment", **changes}, sort_keys=False)
    )


def train_run(folder: Path, name: str, plan: Sequence[str | Path], train: Sequence[str | Path] = ()) -> Path:
    """Plan, prepare, train and validate a run; returns its folder."""
    run = Path("runs") / name
    segcube(folder, "plan", *plan, "--out", run)
    segcube(folder, "prepare", run)
    segcube(folder, "train", run, *train)
    segcube(folder, "validate", run)
    return folder / run


def mean_scores(run: Path, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the means of metrics by region, over the cases that a run validated out of fold.

    A distance is infinite where a map lacks a region.
    """
    content = json.loads((run / "validation" / "scores.json").read_text())
    return {region: {name: float(row[name]) for name in metrics} for region, row in content["mean"].items()}
