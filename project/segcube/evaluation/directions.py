"""The better direction of each metric, the metrics that a ranking counts, and the objective of a tuning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segcube.core import UsageError

Extreme = Literal["best", "worst"]


@dataclass(frozen=True)
class Direction:
    """How values of a metric compare."""

    higher_is_better: bool
    undefined: Extreme = "best"
    """How nan compares: as the best value where it means that neither map has the region, as the worst where
    it means that nothing was matched or that there is no map."""


OVERLAP = ("lesionwise_dice", "lesionwise_nsd", "dice", "iou", "nsd", "pq_dice")
COUNTED_VOXELS = ("sensitivity", "specificity", "precision", "recall", "f1", "rq", "num_tp")
DIRECTIONS: Mapping[str, Direction] = {
    **dict.fromkeys((*OVERLAP, *COUNTED_VOXELS), Direction(True)),
    **dict.fromkeys(("lesionwise_hd95", "hd95", "asd", "num_fn"), Direction(False)),
    **dict.fromkeys(("sq_dice", "sq_nsd"), Direction(True, "worst")),
    **dict.fromkeys(("sq_hd95", "num_fp"), Direction(False, "worst")),
}
"""By the metric's name without tolerance, unit and lesion size."""

COUNTED: Mapping[str, tuple[str, ...]] = {
    "brats2023": ("lesionwise_dice", "lesionwise_hd95"),
    "brats2024": ("lesionwise_dice", "lesionwise_hd95"),
    "brats2026": ("lesionwise_dice", "lesionwise_hd95", "lesionwise_nsd"),
    "mbas": ("dice", "hd95"),
    "plain": ("dice", "hd95"),
}
"""By profile. Published by the organisers for 2023 and 2024; 2025 is scored alike and ranked by Dice alone;
the other organisers have not published theirs."""

OBJECTIVES: Mapping[str, str] = {
    "brats2023": "lesionwise_dice",
    "brats2024": "lesionwise_dice",
    "brats2026": "pq_dice",
    "mbas": "dice",
    "plain": "dice",
}
"""The metric that a tuning maximises, by profile. Where Dice is the mean over matched lesions only, its
product with the recognition quality: otherwise a search would drop every difficult lesion."""


def direction_of(metric: str) -> Direction:
    """The better direction of a metric; suffixes (`nsd_0.5_mm`, `f1_small`) make no difference.

    Raises UsageError for a metric without a direction; the message lists those with one.
    """
    family = re.sub(r"(_\d+(\.\d+)?)?(_mm|_voxels)?(_large|_small)?$", "", metric)
    if family not in DIRECTIONS:
        raise UsageError(
            f"unknown metric {metric!r}, or one without a better direction",
            expected="one of " + ", ".join(DIRECTIONS),
        )
    return DIRECTIONS[family]


def counted_metrics(profile: str, chosen: Sequence[str] = ()) -> dict[str, Direction]:
    """The metrics to rank by with their directions: those chosen, else the profile's own.

    Raises UsageError for an unknown profile or metric.
    """
    if not chosen and profile not in COUNTED:
        raise UsageError(
            f"profile {profile} has no metrics to rank by",
            expected="one of " + ", ".join(COUNTED),
            hint="or name metrics with --metric",
        )
    return {metric: direction_of(metric) for metric in chosen or COUNTED[profile]}
