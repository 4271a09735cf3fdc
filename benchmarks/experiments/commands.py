"""Run segcube's commands in a folder, and read the scores that they write. Repeated commands continue."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from versus.contestants import ROOT, SEGCUBE

from segcube.spec.challenges import load_challenge

WORK = ROOT / "bench" / "experiments"


@dataclass(frozen=True)
class Coarse:
    """A challenge whose phantoms have a coarse grid, on which a CPU trains within minutes."""

    key: str
    shape: tuple[int, int, int]
    spacing: float
    """In mm, of each axis."""

    def write(self, file: Path, **changes: Any) -> Path:
        """Write the challenge, some of its keys replaced; returns the file."""
        content = load_challenge(self.key).model_dump(mode="json", by_alias=True)
        grid = {"shape": list(self.shape), "spacing": [self.spacing] * 3, "orientation": "LPS"}
        content |= {"key": f"{self.key}-coarse", "geometry": {"fixed": False, "grids": [grid]}, **changes}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return file


def segcube(folder: Path, *words: str | Path) -> None:
    """Run a command in a folder; its output is appended to log.txt. Raises for a failure."""
    with (folder / "log.txt").open("ab") as log:
        subprocess.run([SEGCUBE, *words], cwd=folder, check=True, stdout=log, stderr=log)


def make_phantoms(folder: Path, name: str, challenge: Path, count: int, seed: int, first: int = 1) -> None:
    """Write phantoms to folder/NAME, unless they were written before."""
    if not (folder / name / "ready").exists():
        numbers = ["--count", str(count), "--seed", str(seed), "--first", str(first)]
        segcube(folder, "phantoms", name, "--challenge", challenge, *numbers)
        (folder / name / "ready").touch()


def write_recipe(file: Path, parent: str, changes: Mapping[str, Any]) -> str:
    """Write a recipe that inherits from another; returns the file's name."""
    content = {"inherit": parent, "source": "an experiment", **changes}
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file.name


@dataclass(frozen=True)
class Training:
    """A run to train: folds, or all that the plan has; options: of plan, train and validate."""

    name: str
    plan: Sequence[str | Path]
    train: Sequence[str | Path] = ()
    validate: Sequence[str] = ()
    fold: str | None = None


def train_run(folder: Path, training: Training) -> Path:
    """Plan, prepare, train and validate a run; returns its folder. `all` is not validated."""
    run = Path("runs") / training.name
    fold = [] if training.fold is None else ["--fold", training.fold]
    segcube(folder, "plan", *training.plan, "--out", run)
    segcube(folder, "prepare", run)
    segcube(folder, "train", run, *fold, *training.train)
    if training.fold != "all":
        segcube(folder, "validate", run, *training.validate)
    return folder / run


def mean_scores(run: Path, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the means of metrics by region, over the cases that a run validated out of fold.

    A distance is infinite where a map lacks a region.
    """
    content = json.loads((run / "validation" / "scores.json").read_text())
    return {region: {name: float(row[name]) for name in metrics} for region, row in content["mean"].items()}
