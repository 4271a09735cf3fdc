"""Coarse brain phantoms of two populations, small MedNeXt recipes, and scores of saved probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.commands import Coarse, write_recipe
from segcube.evaluation import score_labels
from segcube.spec.submission import Rule, Threshold
from segcube.tools.tune.inputs import Inputs
from segcube.tools.tune.objective import CaseObjective
from segcube.tools.tune.search_space import Weights

BRAINS = Coarse("brats2024-ped", (60, 60, 40), 4.0)
REGIONS = ("ET", "TC", "WT")
PENALTY_MM = 374.0
SMALL: dict[str, Any] = {
    "planning": {"patch": [32, 32, 32], "batch": 2},
    "preprocessing": {"kind": "nnunet", "spacing": [4, 4, 4], "outputs": "regions"},
    "sampling": {"foreground": 0.5, "draw": "probability", "position": "inside"},
    "precision": "fp32",
}


def write_brains(file: Path, phantom: str) -> Path:
    """Write a challenge of three regions; phantom: the kind of tumour. Both kinds have the same labels."""
    full = {"ET": ["ET"], "TC": ["ET", "NETC", "CC"], "WT": ["ET", "NETC", "CC", "ED"]}
    write = [
        {"region": "WT", "label": "ED"},
        {"region": "TC", "label": "NETC"},
        {"region": "ET", "label": "ET"},
    ]
    metrics = {"profile": "plain"}
    changes = {"regions": full, "scored": list(REGIONS), "write": write, "metrics": metrics}
    return BRAINS.write(file, phantom=phantom, **changes)


def write_mednext(file: Path, size: str, steps: int, seed: int = 0) -> str:
    """Write a recipe of a MedNeXt with a quarter of the usual features; returns the file's name."""
    network = {"arguments": {"size": size, "kernel_size": 3, "n_channels": 8}}
    length = {"steps": steps, "seed": seed, "validation": {"every": steps, "cases": 1}}
    return write_recipe(file, "mednext-b-k3", SMALL | {"network": network} | length)


def scores_of(
    inputs: Inputs, rules: Mapping[str, Sequence[Rule]], weights: Mapping[str, Weights]
) -> list[dict[str, dict[str, float]]]:
    """Return metrics by region of each case, from its probabilities at the rules and weights of the case."""
    rows: list[dict[str, dict[str, float]]] = []
    for case in inputs.cases:
        objective = CaseObjective(case, inputs.challenge, lambda _region, _labels: 0.0)
        labels_xyz = objective.labels(rules[case.name], weights[case.name])
        found = score_labels(labels_xyz, case.reference_xyz, case.spacing, inputs.challenge, "plain")
        rows.append({region: dict(found.regions[region]) for region in REGIONS})
    return rows


def at_threshold(value: float) -> list[Rule]:
    """Return the rule of one threshold for all regions."""
    return [Threshold(rule="threshold", at=dict.fromkeys(REGIONS, value))]


def mean_of(rows: Sequence[Mapping[str, Mapping[str, float]]], region: str, metric: str) -> float:
    """Return the mean over cases; a distance is that of the BraTS penalty where one map lacks the region."""
    return float(np.mean([min(row[region][metric], PENALTY_MM) for row in rows]))
