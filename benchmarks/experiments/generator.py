"""The steps of the generator of brains: a network is trained without each of them, on phantoms alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from experiments.commands import Training, mean_scores, segcube, train_run, write_recipe

CASES, SEEDS, STEPS = 12, 3, 400
CHALLENGE, SCANS_CHALLENGE = "brats2023-gli", "brats2021-gli"
REGIONS = ("WT", "TC", "ET")
SCANS = os.environ.get("SEGCUBE_REAL_DATA")
"""Folder with brats2021 and brats2021-labels, scans to score on; None scores on phantoms alone."""
CHANGES: Mapping[str, Mapping[str, Any]] = {
    "all steps": {},
    "contrasts drawn once for all cases": {"contrast": "fixed"},
    "contrasts not physical": {"contrast": "free"},
    "one composition of tumours": {"composition": False},
    "no distractors": {"distractors": False},
    "no thick slices": {"thick_slices": False},
    "no mass effect": {"mass_effect": False},
    "anatomy of ICBM152": {"anatomy": "other"},
}
"""What becomes of the generator."""
AUGMENTATIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "all steps, no intensity augmentation": [],
    "all steps, intensity augmentation in every patch": [
        {"kind": "noise", "p": 0.5, "sigma": [0, 0.2]},
        {"kind": "blur", "p": 0.3, "p_channel": 0.5, "sigma": [0.5, 1.0]},
        {"kind": "brightness", "p": 1, "factor": [0.7, 1.4]},
        {"kind": "contrast", "p": 0.5, "factor": [0.7, 1.4]},
        {"kind": "low_resolution", "p": 0.25, "p_channel": 0.5, "scale": [0.5, 1.0]},
        {"kind": "gamma", "p": 0.3, "factor": [0.6, 1.6], "invert": True},
        {"kind": "gamma", "p": 1, "factor": [0.6, 1.6]},
    ],
}
"""In place of the recipe's."""
SMALL: Mapping[str, Any] = {
    "network": {
        "arguments": {
            "features_per_stage": [16, 32, 64, 96],
            "n_conv_per_stage": [1, 2, 2, 2],
            "n_conv_per_stage_decoder": [1, 1, 1],
        }
    },
    "planning": {"patch": [40, 48, 40], "batch": 1},
    "preprocessing": {"spacing": [4, 4, 4]},
    "steps": STEPS,
    "validation": {"every": STEPS, "cases": 1},
}
Scores = dict[str, float]


def run_generator(folder: Path) -> list[str]:
    """Train each network with each seed; returns the lines of the table."""
    if not (folder / "second" / "ready").exists():
        options = ["--challenge", CHALLENGE, "--generator", "second", "--spacing", "4", "--count", str(CASES)]
        segcube(folder, "phantoms", "second", *options)
        (folder / "second" / "ready").touch()
    recipes: dict[str, Mapping[str, Any]] = {
        title: {"synthetic": {"generator": dict(change)}} for title, change in CHANGES.items()
    }
    recipes |= {
        title: {"augmentation": {"intensity": [*transforms]}} for title, transforms in AUGMENTATIONS.items()
    }
    found: dict[str, list[tuple[Scores, Scores]]] = {}
    for number, (title, changes) in enumerate(recipes.items()):
        for seed in range(SEEDS):
            run = _train(folder, f"{number}-{seed}", changes, seed)
            second = {region: row["dice"] for region, row in mean_scores(run, ("dice",)).items()}
            found.setdefault(title, []).append((second, _on_scans(folder, run)))
    return list(_table(found))


def _train(folder: Path, name: str, changes: Mapping[str, Any], seed: int) -> Path:
    synthetic = {**changes.get("synthetic", {}), "spacing": 4, "seed": seed + 1}
    content = {**SMALL, **changes, "seed": seed, "synthetic": synthetic}
    recipe = write_recipe(folder / f"{name}.yaml", "brats-starter", content)
    challenge = "second/challenge.yaml"
    data = ["second/data", "--ref", "second/labels", "--challenge", challenge, "--recipe", recipe]
    return train_run(folder, Training(name, data))


def _on_scans(folder: Path, run: Path) -> Scores:
    """Mean Dice on the scans; empty without them."""
    if SCANS is None:
        return {}
    scores = run / "scans.json"
    if not scores.exists():
        weights, maps, scans = run / "weights", run / "scans", Path(SCANS).absolute()
        for old in (weights, maps):
            shutil.rmtree(old, ignore_errors=True)
        segcube(folder, "collect", run, "-o", weights)
        submission = weights / "submission.yaml"
        content = yaml.safe_load(submission.read_text()) | {"serves": [SCANS_CHALLENGE]}
        submission.write_text(yaml.safe_dump(content, sort_keys=False))
        challenge = ("--challenge", SCANS_CHALLENGE)
        segcube(folder, "infer", "-i", scans / "brats2021", "-o", maps, "-w", weights, *challenge)
        reference = ("--ref", scans / "brats2021-labels", "--profile", "plain")
        segcube(folder, "evaluate", "--maps", maps, *reference, *challenge, "--scores", scores)
    return {region: row["dice"] for region, row in json.loads(scores.read_text())["mean"].items()}


def _table(found: Mapping[str, Sequence[tuple[Scores, Scores]]]) -> Iterator[str]:
    places = ["second generator"] + ([] if SCANS is None else ["scans"])
    yield f"| generator | {' | '.join(f'{place}: {region}' for place in places for region in REGIONS)} |"
    yield f"|---|{'---|' * len(places) * len(REGIONS)}"
    for title, seeds in found.items():
        columns = [
            [pair[place][region] for pair in seeds] for place in range(len(places)) for region in REGIONS
        ]
        yield f"| {title} | {' | '.join(map(_spread, columns))} |"


def _spread(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"
