"""A cascade of two stages against its single-stage twin: the same network, patches and steps, no gate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.commands import mean_scores, segcube, train_run, write_challenge, write_recipe

CASES, FOLDS = 24, 2
SHAPE, SPACING = (160, 160, 44), (2.5, 2.5, 2.5)
METRICS = ("dice", "hd95")
SMALL: dict[str, Any] = {
    "planning": {"rules": "fixed", "batch": 2, "base_features": 8, "most_features": 64},
    "steps": 1000,
    "validation": {"every": 1000, "cases": 2},
}


def run_cascade(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Train the first stage, the second one and its twin; returns their scores."""
    folder.mkdir(parents=True, exist_ok=True)
    challenge = folder / "atria.yaml"
    write_challenge("mbas2024", SHAPE, SPACING, challenge)
    if not (folder / "phantoms").exists():
        segcube(
            folder, "phantoms", "phantoms", "--challenge", challenge, "--count", str(CASES), "--seed", "5"
        )
    first = SMALL | {"planning": SMALL["planning"] | {"patch": [20, 64, 64]}}
    write_recipe(
        folder / "first.yaml", "fast", first | {"preprocessing": {"spacing": [5, 5, 5], "union": "heart"}}
    )
    second = SMALL | {"planning": SMALL["planning"] | {"patch": [16, 48, 48]}}
    second |= {"preprocessing": {"spacing": list(SPACING)}, "sampling": {"foreground": 1.0}}
    write_recipe(folder / "twin.yaml", "fast", second)
    write_recipe(folder / "second.yaml", "fast", second | {"cascade": {"as": "gate", "dilate": 2}})
    data = ["phantoms/data", "--ref", "phantoms/labels", "--challenge", challenge]
    split = ["--split", str(FOLDS)]
    runs = {
        "first stage": train_run(folder, "first", [*data, "--recipe", "first.yaml", *split]),
        "cascade": train_run(
            folder, "second", [*data, "--recipe", "second.yaml", "--previous", "runs/first"]
        ),
        "single stage": train_run(
            folder, "twin", [*data, "--recipe", "twin.yaml", "--split", "runs/first/folds.yaml"]
        ),
    }
    return {name: mean_scores(run, METRICS) for name, run in runs.items()}


def cascade_table(scores: dict[str, dict[str, dict[str, float]]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield "| run | region | Dice | HD95, mm |"
    yield "|---|---|---|---|"
    for name, regions in scores.items():
        for region, row in regions.items():
            yield f"| {name} | {region} | {row['dice']:.3f} | {row['hd95']:.2f} |"
