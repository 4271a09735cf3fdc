"""Large lesions scored by overlap, small ones by detection: the rule of BraTS-MET 2026."""

from __future__ import annotations

import math

import numpy as np

from segcube.challenges import SmallLesions
from segcube.evaluate.instances import COLUMNS, Instance, Instances


def large_lesion_scores(instances: Instances, rule: SmallLesions, infinity: float) -> dict[str, float]:
    """Mean and spread over the large lesions: the matched, each missed one and each false positive.

    A missed lesion and a false positive of whatever size count as 0, and as `infinity` for HD95. NaN where
    the reference has no large lesion.
    """
    large = [lesion for lesion in instances.lesions if lesion.volume >= rule.below]
    scores: dict[str, float] = {}
    for name in COLUMNS:
        worst = infinity if "hd95" in name else 0.0
        values = [lesion.scores.get(name, worst) for lesion in large] + [worst] * instances.num_fp
        scores[name] = float(np.mean(values)) if large else math.nan
        scores[f"{name}_std"] = float(np.std(values)) if large else math.nan
    return scores


def detection_by_size(instances: Instances, rule: SmallLesions) -> dict[str, float]:
    """Detection of the large and of the small lesions: counts, precision, sensitivity and F1.

    A lesion is detected where its matched pair reaches the rule's Dice. The prediction's false positives
    count for both sizes. NaN for a size that the reference does not have.
    """
    large = [lesion for lesion in instances.lesions if lesion.volume >= rule.below]
    small = [lesion for lesion in instances.lesions if lesion.volume < rule.below]
    return {
        f"{name}_{size}": value
        for size, lesions in (("large", large), ("small", small))
        for name, value in _detection(lesions, instances.num_fp, rule.detected_at).items()
    }


def _detection(lesions: list[Instance], false: int, detected_at: float) -> dict[str, float]:
    hits = sum(lesion.scores.get("dice", 0.0) >= detected_at for lesion in lesions)
    missed = len(lesions) - hits
    scores = {
        "num_tp": hits,
        "num_fp": false,
        "num_fn": missed,
        "precision": hits / (hits + false) if hits + false else 0.0,
        "sensitivity": hits / (hits + missed) if hits + missed else 0.0,
        "f1": 2 * hits / (2 * hits + false + missed) if hits + false + missed else 0.0,
    }
    return scores if lesions else dict.fromkeys(scores, math.nan)
