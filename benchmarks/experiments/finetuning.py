"""Fine-tuning: a model of one population of phantoms is trained on twelve cases of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from experiments.brains import (
    REGIONS,
    at_threshold,
    mean_of,
    scores_of,
    write_brains,
    write_mednext,
)
from experiments.commands import Training, make_phantoms, segcube, train_run
from segcube.tools.tune import TuneRequest, read_inputs
from segcube.tools.tune.inputs import Inputs

SOURCE_CASES, CASES, FOLDS = 16, 12, 3
SOURCE_STEPS, STEPS = 600, 150
THRESHOLDS = (0.5, 0.7)
START = ("--init", "weights/source")
WAYS = {
    "from random weights": (),
    "`--freeze ugrip`": (*START, "--freeze", "ugrip"),
    "`--freeze ugrip --reset heads`": (*START, "--freeze", "ugrip", "--reset", "heads"),
    "all parameters": START,
}


def run_finetuning(folder: Path) -> list[str]:
    """Train the source, and the target in each way; returns the lines of the table."""
    source, target = folder / "source.yaml", folder / "target.yaml"
    write_brains(source, "glioma")
    write_brains(target, "paediatric")
    make_phantoms(folder, "source", source, SOURCE_CASES, 7, first=101)
    make_phantoms(folder, "target", target, CASES, 8)
    recipe = write_mednext(folder / "source-recipe.yaml", "B", SOURCE_STEPS)
    plan = ["source/data", "--ref", "source/labels", "--challenge", source, "--recipe", recipe]
    train_run(folder, Training("source", plan, fold="all"))
    if not (folder / "weights" / "source").exists():
        segcube(folder, "collect", "runs/source", "--folds", "all", "-o", "weights/source")
    rows = {"source, not fine-tuned": _source(folder)}
    recipe = write_mednext(folder / "target-recipe.yaml", "B", STEPS)
    plan = ["target/data", "--ref", "target/labels", "--challenge", target, "--recipe", recipe]
    plan += ["--split", str(FOLDS)]
    for number, (way, options) in enumerate(WAYS.items()):
        training = Training(f"target-{number}", plan, options, ["--save-probabilities"])
        rows[way] = read_inputs(TuneRequest(runs=(train_run(folder, training),)))
    return list(_table(rows))


def _source(folder: Path) -> Inputs:
    """The probabilities of the target's cases by the source."""
    saved = folder / "source-probabilities"
    words = ["-i", "target/data", "-o", "source-maps", "-w", "weights/source"]
    segcube(folder, "infer", *words, "--save-probabilities", saved, "--resume")
    return read_inputs(
        TuneRequest(
            probabilities=saved, reference=folder / "target" / "labels", weights=folder / "weights" / "source"
        )
    )


def _table(rows: dict[str, Inputs]) -> Iterator[str]:
    yield f"| training | threshold | {' | '.join(f'Dice {region}' for region in REGIONS)} |"
    yield f"|---|---|{'---|' * len(REGIONS)}"
    for way, inputs in rows.items():
        names = [case.name for case in inputs.cases]
        weights = dict.fromkeys(names, inputs.space.weights)
        for threshold in THRESHOLDS:
            found = scores_of(inputs, dict.fromkeys(names, at_threshold(threshold)), weights)
            means = [f"{mean_of(found, region, 'dice'):.3f}" for region in REGIONS]
            yield f"| {way} | {threshold} | {' | '.join(means)} |"
