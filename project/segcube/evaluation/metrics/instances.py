"""Instances of two masks matched one to one by their Dice, and their scores: BraTS 2026."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from segcube.core import Vector
from segcube.evaluation.metrics.components import ComponentMap, component_map
from segcube.evaluation.metrics.distances import BorderDistances
from segcube.evaluation.metrics.pair import volume_of
from segcube.spec.challenges import SmallLesions

COLUMNS = ("dice", "hd95", "nsd", "hd95_mm", "nsd_mm")
UNMATCHED = 1.0 + 1e-6
"""Cost of a pair below the least Dice: more than that of any other pair."""


@dataclass(frozen=True)
class Instance:
    """A lesion of the reference."""

    number: int
    volume: float
    """In mm3."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """COLUMNS of the matched pair; empty for a missed lesion."""


@dataclass(frozen=True)
class Instances:
    """A region's lesions, and the instances of the prediction that match none."""

    lesions: tuple[Instance, ...]
    false_positives: tuple[tuple[int, float], ...]
    """Number and volume in mm3."""

    @property
    def num_tp(self) -> int:
        return sum(bool(lesion.scores) for lesion in self.lesions)

    @property
    def num_fn(self) -> int:
        return len(self.lesions) - self.num_tp

    @property
    def num_fp(self) -> int:
        return len(self.false_positives)


def compare_instances(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, spacing: Vector, match_at: float
) -> Instances:
    """Match and measure the 26-connected components of two masks; an empty mask has none.

    match_at: the least Dice of a matched pair.
    """
    found, reference = _components(found_xyz), _components(reference_xyz)
    partners = match_instances(found, reference, match_at)
    lesions: list[Instance] = []
    for number in reference.numbers:
        partner = partners.get(number)
        scores = _measure(number, *partner, found, reference, spacing) if partner else {}
        lesions.append(Instance(number, volume_of(int(reference.sizes[number]), spacing), scores))
    matched = {partner for partner, _ in partners.values()}
    alone = [number for number in found.numbers if number not in matched]
    volumes = [volume_of(int(found.sizes[number]), spacing) for number in alone]
    return Instances(tuple(lesions), tuple(zip(alone, volumes, strict=True)))


def match_instances(
    found: ComponentMap, reference: ComponentMap, match_at: float
) -> dict[int, tuple[int, float]]:
    """Match instances one to one for the largest sum of Dice.

    Returns the predicted number and the Dice of each pair by the reference number. An empty side gives none.
    """
    if found.is_empty or reference.is_empty:
        return {}
    rows, columns = len(reference.sizes), len(found.sizes)
    both_xyz = (reference.ids_xyz > 0) & (found.ids_xyz > 0)
    places = reference.ids_xyz[both_xyz].astype(np.int64) * columns + found.ids_xyz[both_xyz]
    common = np.bincount(places, minlength=rows * columns).reshape(rows, columns)[1:, 1:]
    dice = 2 * common / (reference.sizes[1:, None] + found.sizes[None, 1:])
    cost = np.where(dice >= match_at, 1.0 - dice, UNMATCHED)
    pairs = zip(*linear_sum_assignment(cost), strict=True)
    return {int(i) + 1: (int(j) + 1, float(dice[i, j])) for i, j in pairs if cost[i, j] < 1.0}


def _components(mask_xyz: np.ndarray) -> ComponentMap:
    """Components in the order of (z, y, x), which decides between matchings of equal cost."""
    return component_map(mask_xyz).renumbered_along_z()


def _measure(
    number: int, partner: int, dice: float, found: ComponentMap, reference: ComponentMap, spacing: Vector
) -> dict[str, float]:
    """COLUMNS of a matched pair.

    The official package reads volumes as (z, y, x) and their spacing as (x, y, z); `hd95` and `nsd` do the
    same, `hd95_mm` and `nsd_mm` use the right axes. The tolerance of both NSD is the voxel's smallest edge.
    """
    borders = found.border_of((partner,)), reference.border_of((number,))
    swapped = BorderDistances(*borders, (spacing[2], spacing[1], spacing[0]))
    correct = swapped if spacing[0] == spacing[2] else BorderDistances(*borders, spacing)
    tolerance = min(spacing)
    return {
        "dice": dice,
        "hd95": swapped.hd95(),
        "nsd": swapped.nsd(tolerance),
        "hd95_mm": correct.hd95(),
        "nsd_mm": correct.nsd(tolerance),
    }


def large_lesion_scores(instances: Instances, rule: SmallLesions, infinity: float) -> dict[str, float]:
    """Mean and standard deviation over the large lesions and all false positives.

    A missed lesion and a false positive of any size count as 0, and as `infinity` for HD95. NaN where the
    reference has no large lesion.
    """
    large = [lesion for lesion in instances.lesions if lesion.volume >= rule.below]
    scores: dict[str, float] = {}
    for name in COLUMNS:
        worst = infinity if "hd95" in name else 0.0
        values = [lesion.scores.get(name, worst) for lesion in large] + [worst] * instances.num_fp
        scores[name] = float(np.mean(values)) if large else math.nan
        scores[f"{name}_std"] = float(np.std(values)) if large else math.nan
    return scores


def matched_quality(instances: Instances, infinity: float) -> dict[str, float]:
    """Mean and standard deviation over the matched pairs; without any, the worst value, or NaN without a
    lesion on either side."""
    nothing = not instances.lesions and not instances.num_fp
    quality: dict[str, float] = {}
    for name in COLUMNS:
        values = [lesion.scores[name] for lesion in instances.lesions if lesion.scores]
        worst = math.nan if nothing else infinity if "hd95" in name else 0.0
        quality[name] = float(np.mean(values)) if values else worst
        quality[f"{name}_std"] = float(np.std(values)) if values else math.nan
    return quality


def detection_by_size(instances: Instances, rule: SmallLesions) -> dict[str, float]:
    """Count detected lesions by size, with precision, sensitivity and F1.

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
