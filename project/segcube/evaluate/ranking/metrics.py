"""Which metrics a ranking counts, and which way each is better."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from segcube.errors import UsageError

Extreme = Literal["best", "worst"]


@dataclass(frozen=True)
class Direction:
    """How the values of a metric compare."""

    higher_is_better: bool
    undefined: Extreme = "best"
    """Where nan stands: best if it says that neither map holds the region, worst if nothing was matched."""


HIGH, LOW = Direction(True), Direction(False)
HIGH_OF_MATCHED, LOW_OF_MATCHED = Direction(True, "worst"), Direction(False, "worst")

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
    "sq_dice": HIGH_OF_MATCHED,
    "sq_hd95": LOW_OF_MATCHED,
    "sq_nsd": HIGH_OF_MATCHED,
    "num_fp": LOW,
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


def direction_of(metric: str) -> Direction:
    """Which way a metric is better; what follows its name (`nsd_0.5_mm`, `f1_small`) makes no difference.

    Raises UsageError for a metric that cannot be ranked, naming those that can.
    """
    family = re.sub(r"(_\d+(\.\d+)?)?(_mm|_voxels)?(_large|_small)?$", "", metric)
    if family not in DIRECTIONS:
        raise UsageError(f"no metric to rank by: {metric}", expected="one of " + ", ".join(DIRECTIONS))
    return DIRECTIONS[family]


def counted_metrics(profile: str, asked: Sequence[str] = ()) -> dict[str, Direction]:
    """The metrics that count, each with its direction: those asked for, else the profile's own.

    Raises UsageError for a profile or metric that is not known.
    """
    if not asked and profile not in COUNTED:
        raise UsageError(
            f"profile {profile} has no metrics to rank by",
            expected="one of " + ", ".join(COUNTED),
            mend="or name metrics with --metric",
        )
    return {metric: direction_of(metric) for metric in asked or COUNTED[profile]}
