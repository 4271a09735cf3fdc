"""Scores of whole masks: those of the MBAS challenge, and plain ones for any labels."""

from __future__ import annotations

import math

import numpy as np

from segcube.core import Vector
from segcube.evaluation.metrics.distances import BorderDistances, border_of
from segcube.evaluation.metrics.pair import Pair, dice, volume_of
from segcube.evaluation.metrics.surfels import SurfaceDistances, surface_of
from segcube.evaluation.results import CaseScores
from segcube.spec.challenges import Challenge, Overlap

VOXELS: Vector = (1.0, 1.0, 1.0)


def mbas_scores(pair: Pair, challenge: Challenge) -> CaseScores:
    """Dice and HD95 of each region by medpy's rule, HD95 in mm and in voxels.

    An empty mask gives HD95 inf and a notice where medpy raises an error. Two empty masks give Dice 1, one
    empty mask gives Dice 0. One voxel is its own border.
    """
    regions: dict[str, dict[str, float]] = {}
    notices: list[str] = []
    for region in challenge.scored:
        found_xyz, reference_xyz = pair.masks(challenge.region_values(region))
        found, reference = border_of(found_xyz), border_of(reference_xyz)
        scores = {"dice": dice(found_xyz, reference_xyz)}
        for name, spacing in (("hd95", pair.spacing), ("hd95_voxels", VOXELS)):
            both = len(found) and len(reference)
            scores[name] = BorderDistances(found, reference, spacing).hd95() if both else math.inf
        for side, border in (("prediction", found), ("reference", reference)):
            if not len(border):
                notices.append(f"the {side} has no {region}: HD95 is inf")
        regions[region] = scores | _volumes(found_xyz, reference_xyz, pair.spacing)
    return CaseScores(regions, notices=tuple(notices))


def plain_scores(pair: Pair, challenge: Challenge, metrics: Overlap) -> CaseScores:
    """Dice, IoU, precision, recall, surface distances and volumes of each region.

    HD95, average surface distance and NSD weight surfaces by area, as google-deepmind/surface-distance does.
    Two empty masks give 1 and distance 0, one empty mask gives 0 and distance inf. One voxel has a surface.
    """
    regions: dict[str, dict[str, float]] = {}
    for region in challenge.scored:
        masks = pair.masks(challenge.region_values(region))
        regions[region] = {
            **_counted(*masks),
            **_distances(*masks, pair.spacing, metrics.nsd_tolerances),
            **_volumes(*masks, pair.spacing),
        }
    return CaseScores(regions)


def _counted(found_xyz: np.ndarray, reference_xyz: np.ndarray) -> dict[str, float]:
    found, reference = int(found_xyz.sum()), int(reference_xyz.sum())
    common = int((found_xyz & reference_xyz).sum())
    union = found + reference - common
    if not union:
        return {"dice": 1.0, "iou": 1.0, "precision": 1.0, "recall": 1.0}
    return {
        "dice": 2 * common / (found + reference),
        "iou": common / union,
        "precision": common / found if found else 0.0,
        "recall": common / reference if reference else 0.0,
    }


def _distances(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, spacing: Vector, tolerances: tuple[float, ...]
) -> dict[str, float]:
    if not found_xyz.any() and not reference_xyz.any():
        return {"hd95": 0.0, "asd": 0.0} | {f"nsd_{tolerance}": 1.0 for tolerance in tolerances}
    surfaces = surface_of(found_xyz, spacing), surface_of(reference_xyz, spacing)
    distances = SurfaceDistances(*surfaces, spacing)
    scores = {"hd95": distances.hd95(), "asd": distances.mean()}
    return scores | {f"nsd_{tolerance}": distances.nsd(tolerance) for tolerance in tolerances}


def _volumes(found_xyz: np.ndarray, reference_xyz: np.ndarray, spacing: Vector) -> dict[str, float]:
    masks = {"volume_ref": reference_xyz, "volume_pred": found_xyz}
    return {name: volume_of(int(mask_xyz.sum()), spacing) for name, mask_xyz in masks.items()}
