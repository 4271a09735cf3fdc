"""Score one case by the rules of a profile."""

from __future__ import annotations

import math

import numpy as np

from segcube.core import UsageError, Vector
from segcube.evaluation.metrics.pair import cropped_pair
from segcube.evaluation.profiles.lesionwise import lesionwise_scores
from segcube.evaluation.profiles.matched import matched_scores
from segcube.evaluation.profiles.overlap import mbas_scores, plain_scores
from segcube.evaluation.results import CaseScores
from segcube.spec.challenges import Challenge, LesionWise, Matched, Metrics, Overlap

PROFILES = ("brats2023", "brats2024", "brats2026", "mbas", "plain")


def metrics_of(challenge: Challenge, profile: str | None = None) -> Metrics:
    """The constants by which a profile scores a challenge; None for the challenge's own profile.

    Raises UsageError for an unknown profile, and for one whose constants the challenge does not define.
    """
    if profile in (None, challenge.metrics.profile):
        return challenge.metrics
    if profile == "brats2026":
        return Matched(profile=profile)
    if profile in ("mbas", "plain"):
        return Overlap(profile=profile)
    if profile in PROFILES:
        raise UsageError(
            f"profile {profile} needs dilations and thresholds that {challenge.key} does not define",
            expected=f"one of {', '.join(sorted({challenge.metrics.profile, 'brats2026', 'mbas', 'plain'}))}",
            hint="or write a challenge file with these constants under metrics",
        )
    raise UsageError(f"no profile {profile!r}", expected="one of " + ", ".join(PROFILES))


def score_labels(
    found_xyz: np.ndarray,
    reference_xyz: np.ndarray,
    spacing: Vector,
    challenge: Challenge,
    profile: str | None = None,
) -> CaseScores:
    """Score a label map against its reference.

    found_xyz, reference_xyz: integers of one shape; spacing in mm. profile: None for the challenge's own.
    Scores of empty masks differ by profile: see lesionwise_scores, matched_scores, mbas_scores and
    plain_scores. Raises UsageError as `metrics_of` does, and for arrays of different shapes.
    """
    return score_pair(found_xyz, reference_xyz, spacing, challenge, metrics_of(challenge, profile))


def score_pair(
    found_xyz: np.ndarray, reference_xyz: np.ndarray, spacing: Vector, challenge: Challenge, metrics: Metrics
) -> CaseScores:
    """Score a label map by given constants, otherwise as `score_labels`."""
    if found_xyz.shape != reference_xyz.shape:
        raise UsageError(f"shape {found_xyz.shape}", expected=f"{reference_xyz.shape}, as the reference")
    margin = 1
    if isinstance(metrics, LesionWise):
        margin += max(rule.dilation for rule in metrics.regions.values())
    pair = cropped_pair(found_xyz, reference_xyz, spacing, margin)
    if isinstance(metrics, LesionWise):
        return lesionwise_scores(pair, challenge, metrics)
    if isinstance(metrics, Matched):
        return matched_scores(pair, challenge, metrics)
    if metrics.profile == "mbas":
        return mbas_scores(pair, challenge)
    return plain_scores(pair, challenge, metrics)


def scores_without_map(
    reference_xyz: np.ndarray, spacing: Vector, challenge: Challenge, metrics: Metrics, problem: str
) -> CaseScores:
    """Score a case whose map is missing or unreadable: 0, and the penalty for HD95, as the organisers do.

    Profiles without a penalty give inf. Lesions and volumes are counted as for an empty map: each lesion of
    the reference is a false negative. The number of false positives is NaN, because 0 would be the best
    value.
    """
    penalty = math.inf if isinstance(metrics, Overlap) else float(metrics.missing_case)
    empty = score_pair(np.zeros_like(reference_xyz), reference_xyz, spacing, challenge, metrics)
    regions = {
        region: {name: _without_map(name, value, penalty) for name, value in scores.items()}
        for region, scores in empty.regions.items()
    }
    return CaseScores(regions, empty.lesions, problem=problem)


def _without_map(name: str, of_empty_map: float, penalty: float) -> float:
    if _is_distance(name):
        return penalty
    if name.startswith("num_fp"):
        return math.nan
    return of_empty_map if name.startswith(("num_", "volume_")) else 0.0


def _is_distance(name: str) -> bool:
    parts = name.split("_")
    return ("hd95" in parts or "asd" in parts) and "std" not in parts
