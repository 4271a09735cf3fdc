"""Constants of a challenge's metrics; `segcube.evaluation` implements the metrics themselves."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from segcube.core import Name, Names, StrictModel, Unique

Positive: TypeAlias = Annotated[float, Field(gt=0.0, le=1e6)]
"""A distance or volume."""
Share: TypeAlias = Annotated[float, Field(gt=0.0, le=1.0)]
Penalty: TypeAlias = Positive | Literal["image_diagonal"]
"""A distance in mm, or the length of the image diagonal in voxels."""


class LesionRule(StrictModel):
    """How lesions of a region are separated and selected."""

    dilation: Annotated[int, Field(ge=0, le=100)]
    """Iterations of 18-connected dilation that join components."""
    threshold: Annotated[float, Field(ge=0.0, le=1e6)]
    """Volume in mm3 up to which lesions are ignored."""


class LesionWise(StrictModel):
    """Lesion-wise metrics of BraTS 2023 to 2025."""

    profile: Literal["brats2023", "brats2024"]
    regions: dict[Name, LesionRule]
    penalty: Penalty
    """HD95 of a false negative or false positive lesion."""
    missing_case: Positive
    """HD95 of a case without a label map."""
    join_predictions: bool = False
    """Whether predicted components are joined by dilation, like those of the reference."""
    drop_predictions: Literal["none", "voxels", "mm3"] = "none"
    """Unit of the threshold up to which predicted components are ignored; none keeps all of them."""
    false_positives: bool = True
    """Whether predicted components that overlap no lesion count as false positives."""
    relabel_touching: dict[Name, Names] = Field(default_factory=dict)
    """For a region, labels in order: its components that touch one component of the label are one lesion."""
    numbered_masks: bool = False
    """Whether HD95, sensitivity and specificity of the whole mask are computed on lesion numbers."""
    nsd_tolerances: Unique[Positive] = ()
    """Tolerances of the normalised surface Dice, in mm."""


class SmallLesions(StrictModel):
    """Small lesions, which are scored by detection only."""

    below: Positive
    """Volume in mm3 from which lesions are scored by overlap."""
    detected_at: Share
    """Minimum Dice of a detected lesion."""


class Matched(StrictModel):
    """Metrics of one-to-one matched instances of BraTS 2026."""

    profile: Literal["brats2026"]
    match_at: Share = 1e-6
    """Minimum Dice of a matched pair."""
    infinity: Positive = 373
    """HD95 that replaces an infinite one."""
    missing_case: Positive = 373
    """HD95 of a case without a label map."""
    nsd_tolerance: Positive = 0.5
    """Tolerance of the whole mask's normalised surface Dice, in voxels."""
    small_lesions: SmallLesions | None = None


class Overlap(StrictModel):
    """Metrics of whole masks."""

    profile: Literal["mbas", "plain"]
    nsd_tolerances: Unique[Positive] = (0.5, 1.0)
    """Tolerances of the normalised surface Dice of profile plain, in mm."""


Metrics: TypeAlias = Annotated[LesionWise | Matched | Overlap, Field(discriminator="profile")]
