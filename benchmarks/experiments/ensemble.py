"""Base and Medium together: weights and thresholds by region, tuned on out-of-fold probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from experiments.brains import REGIONS, mean_of, scores_of, write_brains, write_mednext
from experiments.commands import Training, make_phantoms, segcube, train_run
from experiments.ranks import average_ranks
from segcube.spec import split_by_patient
from segcube.tools.tune import TuneRequest, read_inputs, tune_inputs
from segcube.tools.tune.inputs import Inputs
from segcube.tools.tune.search import Tuned
from segcube.tools.tune.search_space import Point

CASES, SEED, FOLDS, STEPS = 18, 9, 3, 300
SIZES = {"base": "B", "medium": "M"}
METRICS = {"dice": True, "hd95": False}
"""Whether more is better."""


def run_ensemble(folder: Path) -> list[str]:
    """Train both sizes, tune and collect them; returns the lines of the table."""
    challenge = write_brains(folder / "glioma.yaml", "glioma")
    make_phantoms(folder, "phantoms", challenge, CASES, SEED)
    runs: dict[str, Path] = {}
    for name, size in SIZES.items():
        recipe = write_mednext(folder / f"{name}.yaml", size, STEPS)
        plan = ["phantoms/data", "--ref", "phantoms/labels", "--challenge", challenge, "--recipe", recipe]
        plan += ["--split", str(FOLDS)]
        runs[name] = train_run(folder, Training(name, plan, validate=["--save-probabilities"]))
    request = TuneRequest(runs=tuple(runs.values()))
    both = read_inputs(request)
    tuned = tune_inputs(both, request)
    words = [word for run in runs.values() for word in ("--run", run)]
    segcube(folder, "tune", *words, "-o", "tuned.yaml")
    if not (folder / "weights" / "both").exists():
        segcube(folder, "collect", *runs.values(), "-o", "weights/both", "--tuned", "tuned.yaml")
    segcube(folder, "check", "submission", "weights/both")
    singles = {name: read_inputs(TuneRequest(runs=(run,))) for name, run in runs.items()}
    rows = {
        f"{name} alone": _at(inputs, dict.fromkeys(_names(inputs), inputs.space.start))
        for name, inputs in singles.items()
    }
    rows["mean of both"] = _at(both, dict.fromkeys(_names(both), tuned.space.start))
    rows["tuned, cases held out (nested)"] = _at(both, _held_out(tuned, both, request))
    rows["tuned, in-sample"] = _at(both, dict.fromkeys(_names(both), tuned.fitted))
    return list(_table(rows))


def _names(inputs: Inputs) -> list[str]:
    return [case.name for case in inputs.cases]


def _held_out(tuned: Tuned, inputs: Inputs, request: TuneRequest) -> dict[str, Point]:
    """The point of each case that was fitted without its patient."""
    folds = split_by_patient(tuned.patients, request.folds, request.seed, tuned.patients)
    names = _names(inputs)
    pairs = zip(folds, tuned.in_folds, strict=True)
    return {names[index]: point for fold, point in pairs for index in fold.validation}


def _at(inputs: Inputs, points: Mapping[str, Point]) -> list[dict[str, dict[str, float]]]:
    space = inputs.space
    rules = {name: space.rules_at(point) for name, point in points.items()}
    weights = {name: space.weights_at(point) for name, point in points.items()}
    return scores_of(inputs, rules, weights)


def _table(rows: Mapping[str, list[dict[str, dict[str, float]]]]) -> Iterator[str]:
    columns = [(region, metric) for region in REGIONS for metric in METRICS]
    means = {way: [mean_of(found, *column) for column in columns] for way, found in rows.items()}
    ranks = average_ranks(list(means.values()), [METRICS[metric] for _, metric in columns])
    heads = [f"{region} {'Dice' if metric == 'dice' else 'HD95, mm'}" for region, metric in columns]
    yield f"| probabilities | average rank | {' | '.join(heads)} |"
    yield f"|---|---|{'---|' * len(heads)}"
    for (way, values), rank in zip(means.items(), ranks, strict=True):
        numbers = [
            f"{value:.3f}" if metric == "dice" else f"{value:.2f}"
            for value, (_, metric) in zip(values, columns, strict=True)
        ]
        yield f"| {way} | {rank:.2f} | {' | '.join(numbers)} |"
