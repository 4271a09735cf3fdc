"""The Dice of a region by a profile's rules, for many label maps of a case against one reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segcube.evaluation.metrics import (
    ComponentMap,
    Pair,
    component_map,
    dice,
    dilated,
    find_region_components,
    match_instances,
    region_values,
    volume_of,
)
from segcube.spec.challenges import Challenge, LesionWise, Matched, Metrics
from segcube.tools.tune.cases import TuningCase

RegionScore = Callable[[str, np.ndarray], float]
"""The score of a region of a case, by its name and the predicted labels (X, Y, Z)."""


def region_score_of(case: TuningCase, challenge: Challenge, metrics: Metrics) -> RegionScore:
    """Make the score of a case's regions: the profile's objective, equal to that of `score_labels`.

    The case's box holds all that a dilation reaches. Two empty masks give 1 in every profile.
    """
    empty_xyz = np.zeros_like(case.reference_xyz)
    x, y, z = empty_xyz.shape
    if isinstance(metrics, LesionWise):
        truth = Pair(empty_xyz, case.reference_xyz, case.spacing, (x, y, z))
        return _LesionwiseDice(truth, challenge, metrics)
    values = {name: region_values(challenge.labels, challenge.regions[name]) for name in challenge.scored}

    def masks(region: str, found_xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return Pair(found_xyz, case.reference_xyz, case.spacing, (x, y, z)).masks(values[region])

    if isinstance(metrics, Matched):
        return lambda region, found_xyz: _matched_dice(*masks(region, found_xyz), metrics.match_at)
    return lambda region, found_xyz: dice(*masks(region, found_xyz))


def margin_of(metrics: Metrics) -> int:
    """Voxels around lesions that their scores depend on: the largest dilation, and one more."""
    dilations = (
        [rule.dilation for rule in metrics.regions.values()] if isinstance(metrics, LesionWise) else []
    )
    return 1 + max(dilations, default=0)


@dataclass(frozen=True)
class _Lesion:
    size: int
    counted: bool
    window: tuple[slice, slice, slice]
    mask_xyz: np.ndarray
    dilated_xyz: np.ndarray
    """Both on the window; components that meet the dilated mask are compared with the lesion."""


class _LesionwiseDice:
    """The lesion-wise Dice against a reference whose lesions are found once."""

    def __init__(self, truth: Pair, challenge: Challenge, metrics: LesionWise) -> None:
        self._empty_xyz = truth.found_xyz
        self._truth, self._challenge, self._metrics = truth, challenge, metrics
        components = find_region_components(truth, challenge, metrics, challenge.scored)
        self._lesions = {region: self._crop(region, sides[1]) for region, sides in components.items()}

    def __call__(self, region: str, found_xyz: np.ndarray) -> float:
        pair = Pair(found_xyz, self._empty_xyz, self._truth.spacing, self._truth.shape)
        found, _ = find_region_components(pair, self._challenge, self._metrics, [region])[region]
        met_any = np.zeros(len(found.sizes), dtype=bool)
        total, counted = 0.0, 0
        for lesion in self._lesions[region]:
            ids_xyz = found.ids_xyz[lesion.window]
            met = np.bincount(ids_xyz[lesion.dilated_xyz], minlength=len(found.sizes)) > 0
            met[0] = False
            met_any |= met
            if lesion.counted:
                counted += 1
                common = int(np.count_nonzero(ids_xyz[lesion.mask_xyz]))
                total += 2 * common / (lesion.size + int(found.sizes[met].sum()))
        false = int(np.count_nonzero((found.sizes > 0) & ~met_any)) if self._metrics.false_positives else 0
        return total / (counted + false) if counted + false else 1.0

    def _crop(self, region: str, reference: ComponentMap) -> list[_Lesion]:
        rule = self._metrics.regions[region]
        lesions: list[_Lesion] = []
        for number in reference.numbers:
            size = int(reference.sizes[number])
            window = reference.slices_of(number, rule.dilation)
            mask_xyz = reference.ids_xyz[window] == number
            counted = volume_of(size, self._truth.spacing) > rule.threshold
            lesions.append(_Lesion(size, counted, window, mask_xyz, dilated(mask_xyz, rule.dilation)))
        return lesions


def _matched_dice(found_xyz: np.ndarray, reference_xyz: np.ndarray, match_at: float) -> float:
    """pq_dice: the sum of the matched pairs' Dice over the mean number of instances of the two masks."""
    found, reference = component_map(found_xyz), component_map(reference_xyz)
    instances = len(found.numbers) + len(reference.numbers)
    if not instances:
        return 1.0
    total = 0.0
    for number, partner in match_instances(found, reference, match_at).items():
        window = reference.slices_of(number)
        common = (reference.ids_xyz[window] == number) & (found.ids_xyz[window] == partner)
        both = int(reference.sizes[number]) + int(found.sizes[partner])
        total += 2 * int(np.count_nonzero(common)) / both
    return 2 * total / instances
