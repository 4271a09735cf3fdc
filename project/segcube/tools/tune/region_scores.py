"""The Dice of a region by a profile's rules, for many label maps of a case against one reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segcube.evaluation.metrics import (
    Pair,
    compare_lesions,
    component_map,
    dice,
    find_region_components,
    match_instances,
)
from segcube.spec.challenges import Challenge, LesionWise, Matched, Metrics
from segcube.tools.tune.cases import TuningCase

RegionScore = Callable[[str, np.ndarray], float]
"""The score of a region of a case, by its name and the predicted labels (X, Y, Z)."""


def region_score_of(case: TuningCase, challenge: Challenge, metrics: Metrics) -> RegionScore:
    """Make the score of a case's regions: the profile's objective, equal to that of `score_labels`.

    The case's box holds all that a dilation reaches. Two empty masks give 1 in every profile.
    """
    if isinstance(metrics, LesionWise):
        return _lesionwise_dice(case, challenge, metrics)

    def score(region: str, found_xyz: np.ndarray) -> float:
        masks = _pair(case, found_xyz, case.reference_xyz).masks(challenge.region_values(region))
        return _matched_dice(*masks, metrics.match_at) if isinstance(metrics, Matched) else dice(*masks)

    return score


def margin_of(metrics: Metrics) -> int:
    """Voxels around lesions that their scores depend on: the largest dilation, and one more."""
    rules = metrics.regions.values() if isinstance(metrics, LesionWise) else ()
    return 1 + max((rule.dilation for rule in rules), default=0)


def _pair(case: TuningCase, found_xyz: np.ndarray, reference_xyz: np.ndarray) -> Pair:
    x, y, z = case.reference_xyz.shape
    return Pair(found_xyz, reference_xyz, case.spacing, (x, y, z))


def _lesionwise_dice(case: TuningCase, challenge: Challenge, metrics: LesionWise) -> RegionScore:
    """The lesion-wise Dice against a reference whose lesions are found once."""
    empty_xyz = np.zeros_like(case.reference_xyz)
    truth = _pair(case, empty_xyz, case.reference_xyz)
    lesions = find_region_components(truth, challenge, metrics, challenge.scored)

    def score(region: str, found_xyz: np.ndarray) -> float:
        pair = _pair(case, found_xyz, empty_xyz)
        found, _ = find_region_components(pair, challenge, metrics, [region])[region]
        rule = metrics.regions[region]
        compared = compare_lesions(found, lesions[region][1], rule, case.spacing, distances=False)
        false = len(compared.false_positives) if metrics.false_positives else 0
        number = len(compared.counted) + false
        return sum(lesion.dice for lesion in compared.counted) / number if number else 1.0

    return score


def _matched_dice(found_xyz: np.ndarray, reference_xyz: np.ndarray, match_at: float) -> float:
    """pq_dice: the sum of the matched pairs' Dice over the mean number of instances of the two masks."""
    found, reference = component_map(found_xyz), component_map(reference_xyz)
    instances = len(found.numbers) + len(reference.numbers)
    matches = match_instances(found, reference, match_at)
    return 2 * sum(dice for _, dice in matches.values()) / instances if instances else 1.0
