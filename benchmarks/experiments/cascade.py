"""A cascade of two stages against single stages of the same network, patches and steps, without a gate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.commands import Coarse, Training, make_phantoms, mean_scores, train_run, write_recipe

ATRIA = Coarse("mbas2024", (160, 160, 44), 2.5)
CASES, SEED, FOLDS, STEPS = 24, 5, 2, (500, 800)
METRICS = ("dice", "hd95")
SMALL: dict[str, Any] = {
    "planning": {"rules": "fixed", "batch": 2, "base_features": 8, "most_features": 64},
    "validation": {"every": 500, "cases": 2},
}


def run_cascade(folder: Path) -> list[str]:
    """Train both stages and the second one without a gate, with two shares of foreground."""
    challenge = ATRIA.write(folder / "atria.yaml")
    make_phantoms(folder, "phantoms", challenge, CASES, SEED)
    planning = SMALL["planning"]
    first = SMALL | {"planning": planning | {"patch": [20, 64, 64]}, "steps": STEPS[0]}
    first |= {"preprocessing": {"spacing": [5, 5, 5], "union": "heart"}}
    second = SMALL | {"planning": planning | {"patch": [16, 48, 48]}, "steps": STEPS[1]}
    second |= {"preprocessing": {"spacing": [ATRIA.spacing] * 3}, "sampling": {"foreground": 1.0}}
    mixed = second | {"sampling": {"foreground": 0.33}}
    gate = {"cascade": {"as": "gate", "dilate": 2}}
    data = ["phantoms/data", "--ref", "phantoms/labels", "--challenge", challenge]
    plans = {
        "first": [write_recipe(folder / "first.yaml", "fast", first), "--split", str(FOLDS)],
        "second": [write_recipe(folder / "second.yaml", "fast", second | gate), "--previous", "runs/first"],
        "twin": [write_recipe(folder / "twin.yaml", "fast", second), "--split", "runs/first/folds.yaml"],
        "mixed": [write_recipe(folder / "mixed.yaml", "fast", mixed), "--split", "runs/first/folds.yaml"],
    }
    runs = {
        name: train_run(folder, Training(name, [*data, "--recipe", *words])) for name, words in plans.items()
    }
    names = {"first stage": "first", "cascade": "second"}
    names |= {"single stage, foreground 1.0": "twin", "single stage, foreground 0.33": "mixed"}
    return list(_table({title: mean_scores(runs[name], METRICS) for title, name in names.items()}))


def _table(scores: dict[str, dict[str, dict[str, float]]]) -> Iterator[str]:
    yield "| run | region | Dice | HD95, mm |"
    yield "|---|---|---|---|"
    for name, regions in scores.items():
        for region, row in regions.items():
            yield f"| {name} | {region} | {row['dice']:.3f} | {row['hd95']:.2f} |"
