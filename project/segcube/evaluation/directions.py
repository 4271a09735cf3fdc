"""Which way each metric is better, which ones a ranking counts, and which one a tuning raises."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segcube.core import UsageError

Extreme = Literal["best", "worst"]


@dataclass(frozen=True)
class Direction:
    """How the values of a metric compare."""

    higher_is_better: bool
    undefined: Extreme = "best"
    """Where nan stands: best if it says that neither map holds the region, worst if nothing was matched, or
    if there is no map whose false positives could be counted."""


HIGH, LOW = Direction(True), Direction(False)
HIGH_OR_WORST, LOW_OR_WORST = Direction(True, "worst"), Direction(False, "worst")

DIRECTIONS: Mapping[str, Direction] = {
    "lesionwise_dice": HIGH,
    "lesionwise_hd95": LOW,
    "lesionwise_nsd": HIGH,
    "dice": HIGH,
    "iou": HIGH,
    "hd95": LOW,
    "nsd": HIGH,
    "asd": LOW,
    "sensitivity": HIGH,
    "specificity": HIGH,
    "precision": HIGH,
    "recall": HIGH,
    "f1": HIGH,
    "rq": HIGH,
    "pq_dice": HIGH,
    "sq_dice": HIGH_OR_WORST,
    "sq_hd95": LOW_OR_WORST,
    "sq_nsd": HIGH_OR_WORST,
    "num_tp": HIGH,
    "num_fp": LOW_OR_WORST,
    "num_fn": LOW,
}
"""By a metric's name without its tolerance, unit and size of lesions."""

COUNTED: Mapping[str, tuple[str, ...]] = {
    "brats2023": ("lesionwise_dice", "lesionwise_hd95"),
    "brats2024": ("lesionwise_dice", "lesionwise_hd95"),
    "brats2026": ("lesionwise_dice", "lesionwise_hd95", "lesionwise_nsd"),
    "mbas": ("dice", "hd95"),
    "plain": ("dice", "hd95"),
}
"""By profile. The organisers say so for 2023 and 2024; 2025 is scored alike and ranked by Dice alone, and the
others have not published what they rank by."""

OBJECTIVES: Mapping[str, str] = {
    "brats2023": "lesionwise_dice",
    "brats2024": "lesionwise_dice",
    "brats2026": "pq_dice",
    "mbas": "dice",
    "plain": "dice",
}
"""What a tuning raises, by profile. Where matched lesions alone have a Dice, its product with the share that
is matched: else a search would drop every lesion that is hard."""


def direction_of(metric: str) -> Direction:
    """Which way a metric is better; what follows its name (`nsd_0.5_mm`, `f1_small`) makes no difference.

    Raises UsageError for a metric without a direction, naming those that have one.
    """
    family = re.sub(r"(_\d+(\.\d+)?)?(_mm|_voxels)?(_large|_small)?$", "", metric)
    if family not in DIRECTIONS:
        raise UsageError(
            f"metric {metric!r} has no better direction", expected="one of " + ", ".join(DIRECTIONS)
        )
    return DIRECTIONS[family]


def counted_metrics(profile: str, asked: Sequence[str] = ()) -> dict[str, Direction]:
    """The metrics that count, each with its direction: those asked for, else the profile's own.

    Raises UsageError for a profile or metric that is not known.
    """
    if not asked and profile not in COUNTED:
        raise UsageError(
            f"profile {profile} has no metrics to rank by",
            expected="one of " + ", ".join(COUNTED),
            hint="or name metrics with --metric",
        )
    return {metric: direction_of(metric) for metric in asked or COUNTED[profile]}
