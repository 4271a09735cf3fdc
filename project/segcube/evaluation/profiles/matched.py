"""Scores of matched instances and whole masks: BraTS 2026, by the rules of panoptica."""

from __future__ import annotations

import math

import numpy as np

from segcube.core import Vector
from segcube.evaluation.metrics.distances import BorderDistances, border_of
from segcube.evaluation.metrics.instances import (
    Instances,
    compare_instances,
    detection_by_size,
    large_lesion_scores,
    matched_quality,
)
from segcube.evaluation.metrics.pair import Pair, volume_of
from segcube.evaluation.results import CaseScores, Lesion
from segcube.spec.challenges import Challenge, Matched

VOXELS: Vector = (1.0, 1.0, 1.0)


def matched_scores(pair: Pair, challenge: Challenge, metrics: Matched) -> CaseScores:
    """Score each region of a pair by its matched instances and as a whole.

    Two empty masks give NaN and counts of 0. One empty mask, and two masks without a common voxel, give 0,
    and `infinity` for HD95. A single voxel is an instance.

    The official package measures whole masks in voxels, and instances with the spacing's axes reversed. The
    metrics here do the same; those that end in _mm are in mm along the right axes.
    """
    regions: dict[str, dict[str, float]] = {}
    lesions: list[Lesion] = []
    for region in challenge.scored:
        found_xyz, reference_xyz = pair.masks(challenge.region_values(region))
        instances = compare_instances(found_xyz, reference_xyz, pair.spacing, metrics.match_at)
        regions[region] = {
            **_instance_scores(instances, metrics),
            **_whole_scores(found_xyz, reference_xyz, pair, metrics),
        }
        lesions += _rows(region, instances, metrics)
    return CaseScores(regions, tuple(lesions))


def _instance_scores(instances: Instances, metrics: Matched) -> dict[str, float]:
    hits, false, missed = instances.num_tp, instances.num_fp, instances.num_fn
    recognition = 2 * hits / (2 * hits + false + missed) if hits + false + missed else math.nan
    quality = matched_quality(instances, metrics.infinity)
    scores = {
        "num_tp": hits,
        "num_fp": false,
        "num_fn": missed,
        "precision": hits / (hits + false) if hits + false else math.nan,
        "recall": hits / (hits + missed) if hits + missed else math.nan,
        "f1": recognition,
        "rq": recognition,
        **{f"sq_{name}": value for name, value in quality.items()},
        "pq_dice": quality["dice"] * recognition,
    }
    if metrics.small_lesions is None:
        return {f"lesionwise_{name}": value for name, value in quality.items()} | scores
    large = large_lesion_scores(instances, metrics.small_lesions, metrics.infinity)
    lesionwise = {f"lesionwise_{name}": value for name, value in large.items()}
    return lesionwise | scores | detection_by_size(instances, metrics.small_lesions)


def _whole_scores(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, pair: Pair, metrics: Matched
) -> dict[str, float]:
    found, reference = int(found_xyz.sum()), int(reference_xyz.sum())
    common = int((found_xyz & reference_xyz).sum())
    nsd = f"nsd_{metrics.nsd_tolerance}"
    scores = dict.fromkeys(["dice", "hd95", nsd, "hd95_mm", f"{nsd}_mm"], math.nan)
    if common:
        borders = border_of(found_xyz), border_of(reference_xyz)
        scores["dice"] = 2 * common / (found + reference)
        for unit, spacing in (("", VOXELS), ("_mm", pair.spacing)):
            distances = BorderDistances(*borders, spacing)
            scores[f"hd95{unit}"] = distances.hd95()
            scores[f"{nsd}{unit}"] = distances.nsd(metrics.nsd_tolerance)
    elif found or reference:
        scores = {name: metrics.infinity if "hd95" in name else 0.0 for name in scores}
    volumes = {"volume_ref": reference, "volume_pred": found}
    return scores | {name: volume_of(voxels, pair.spacing) for name, voxels in volumes.items()}


def _rows(region: str, instances: Instances, metrics: Matched) -> list[Lesion]:
    rows: list[Lesion] = []
    for lesion in instances.lesions:
        kind = "matched" if lesion.scores else "missed"
        scores = lesion.scores or {"dice": 0.0, "hd95": metrics.infinity, "nsd": 0.0}
        small = metrics.small_lesions is not None and lesion.volume < metrics.small_lesions.below
        rows.append(
            Lesion(region, kind, lesion.number, lesion.volume, not small, int(bool(lesion.scores)), scores)
        )
    for number, volume in instances.false_positives:
        scores = {"dice": 0.0, "hd95": metrics.infinity, "nsd": 0.0}
        rows.append(Lesion(region, "false_positive", number, volume, True, 1, scores))
    return rows
