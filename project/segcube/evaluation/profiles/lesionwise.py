"""Lesion-wise scores of BraTS 2023 to 2025.

Rules: Saluja et al., BraTS-2023-Metrics and BraTS-2024-Metrics; constants: the challenge's YAML.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from segcube.evaluation.metrics.components import ComponentMap
from segcube.evaluation.metrics.distances import BorderDistances
from segcube.evaluation.metrics.lesions import EPSILON, Compared, compare_lesions
from segcube.evaluation.metrics.pair import Pair, dice, sensitivity_specificity, volume_of
from segcube.evaluation.metrics.region_components import find_region_components
from segcube.evaluation.metrics.surfels import SurfaceDistances
from segcube.evaluation.results import CaseScores, Lesion
from segcube.spec.challenges import Challenge, LesionWise


def lesionwise_scores(pair: Pair, challenge: Challenge, metrics: LesionWise) -> CaseScores:
    """Score each region of a pair lesion by lesion and as a whole.

    Two empty masks give Dice and NSD 1 and HD95 0, one empty mask 0 and the penalty. A single voxel is a
    lesion if its volume is above the threshold. A missed lesion below it costs nothing; a false positive
    below it costs, unless the edition drops small components of the prediction.
    """
    penalty = math.hypot(*pair.shape) if metrics.penalty == "image_diagonal" else float(metrics.penalty)
    components = find_region_components(pair, challenge, metrics, challenge.scored)
    regions: dict[str, dict[str, float]] = {}
    lesions: list[Lesion] = []
    for region, (found, reference) in components.items():
        rule = metrics.regions[region]
        compared = compare_lesions(found, reference, rule, pair.spacing, metrics.nsd_tolerances)
        regions[region] = {
            **_lesion_scores(compared, metrics, penalty),
            **_whole_scores(found, reference, pair, metrics, penalty),
        }
        lesions.extend(_rows(region, compared, metrics, penalty))
    return CaseScores(regions, tuple(lesions))


def _lesion_scores(compared: Compared, metrics: LesionWise, penalty: float) -> dict[str, float]:
    counted = compared.counted
    false = len(compared.false_positives)
    charged = false if metrics.false_positives else 0
    number = len(counted) + charged
    distances = [penalty if math.isinf(lesion.hd95) else lesion.hd95 for lesion in counted]
    scores = {
        "lesionwise_dice": _share([lesion.dice for lesion in counted], number),
        "lesionwise_hd95": (math.fsum(distances) + charged * penalty) / number if number else 0.0,
    }
    for index, tolerance in enumerate(metrics.nsd_tolerances):
        name = f"lesionwise_nsd_{tolerance}"
        scores[name] = _share([lesion.nsd[index] for lesion in counted], number)
    hits = sum(bool(lesion.met) for lesion in counted)
    return scores | {"num_tp": hits, "num_fp": false, "num_fn": len(counted) - hits}


def _share(values: Sequence[float], number: int) -> float:
    return math.fsum(values) / number if number else 1.0


def _whole_scores(
    found: ComponentMap, reference: ComponentMap, pair: Pair, metrics: LesionWise, penalty: float
) -> dict[str, float]:
    """Scores of the whole masks; two empty ones give HD95 0, one empty mask the penalty."""
    found_xyz, reference_xyz = found.ids_xyz > 0, reference.ids_xyz > 0
    # Scripts with `numbered_masks` pass component numbers in place of masks to sensitivity, specificity and
    # the whole-mask HD95, so leaderboards contain those values.
    values = (found.ids_xyz, reference.ids_xyz) if metrics.numbered_masks else (found_xyz, reference_xyz)
    sensitivity, specificity = sensitivity_specificity(*values, pair.outside)
    return {
        "dice": dice(found_xyz, reference_xyz),
        "hd95": _whole_hd95(found, reference, pair, metrics, penalty),
        **_whole_nsd(found, reference, pair, metrics),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "volume_ref": volume_of(int(reference.sizes.sum()), pair.spacing),
        "volume_pred": volume_of(int(found.sizes.sum()), pair.spacing),
    }


def _whole_hd95(
    found: ComponentMap, reference: ComponentMap, pair: Pair, metrics: LesionWise, penalty: float
) -> float:
    if found.is_empty or reference.is_empty:
        return 0.0 if found.is_empty and reference.is_empty else penalty
    if metrics.numbered_masks:
        surfaces = found.numbered_surface(pair.spacing), reference.numbered_surface(pair.spacing)
    else:
        surfaces = found.surface(pair.spacing), reference.surface(pair.spacing)
    distance = SurfaceDistances(*surfaces, pair.spacing).hd95()
    return penalty if math.isinf(distance) else distance


def _whole_nsd(
    found: ComponentMap, reference: ComponentMap, pair: Pair, metrics: LesionWise
) -> dict[str, float]:
    names = {tolerance: f"nsd_{tolerance}" for tolerance in metrics.nsd_tolerances}
    if found.is_empty or reference.is_empty or not names:
        return dict.fromkeys(names.values(), float(found.is_empty and reference.is_empty))
    distances = BorderDistances(found.border(), reference.border(), pair.spacing)
    return {name: distances.nsd(tolerance, EPSILON) for tolerance, name in names.items()}


def _rows(region: str, compared: Compared, metrics: LesionWise, penalty: float) -> Iterable[Lesion]:
    names = [f"nsd_{tolerance}" for tolerance in metrics.nsd_tolerances]
    for lesion in compared.lesions:
        scores = {"dice": lesion.dice, "hd95": penalty if math.isinf(lesion.hd95) else lesion.hd95}
        scores |= dict(zip(names, lesion.nsd, strict=True))
        kind = "matched" if lesion.met else "missed"
        yield Lesion(region, kind, lesion.number, lesion.volume, lesion.counted, len(lesion.met), scores)
    for number, volume in compared.false_positives:
        scores = {"dice": 0.0, "hd95": penalty} | dict.fromkeys(names, 0.0)
        yield Lesion(region, "false_positive", number, volume, metrics.false_positives, 1, scores)
