"""The constants that drive a challenge's scores; the rules themselves live in evaluate/."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from segcube.core import Model, Name, Names, Once

Positive: TypeAlias = Annotated[float, Field(gt=0.0, le=1e6)]
"""A distance or volume; no image holds more."""
Share: TypeAlias = Annotated[float, Field(gt=0.0, le=1.0)]
Penalty: TypeAlias = Positive | Literal["image_diagonal"]
"""A distance, or the image's diagonal in voxels."""


class LesionRule(Model):
    """What counts as one lesion of a region."""

    dilation: Annotated[int, Field(ge=0, le=100)]
    """Steps of 18-neighbour dilation that join components, in voxels."""
    threshold: Annotated[float, Field(ge=0.0, le=1e6)]
    """Lesions of at most this volume in mm3 leave the sums."""


class LesionWise(Model):
    """Lesion-wise scores of 2023 to 2025."""

    profile: Literal["brats2023", "brats2024"]
    regions: dict[Name, LesionRule]
    penalty: Penalty
    """HD95 of a missed lesion and of a false positive."""
    missing_case: Positive
    """HD95 of a case without a map."""
    join_predictions: bool = False
    """Components of the prediction are joined by dilation, like those of the reference."""
    drop_predictions: Literal["none", "voxels", "mm3"] = "none"
    """Unit in which prediction components of at most the threshold are left out, if they are."""
    false_positives: bool = True
    """Whether components that meet no lesion count."""
    relabel_touching: dict[Name, Names] = Field(default_factory=dict)
    """Regions whose parts are united where they touch the same part of another label, these in order."""
    numbered_masks: bool = False
    """The whole mask's HD95, sensitivity and specificity take the parts' numbers for the mask's values."""
    nsd_tolerances: Once[Positive] = ()
    """Of the normalised surface Dice, in mm."""


class SmallLesions(Model):
    """Lesions that count by detection alone."""

    below: Positive
    """mm3; lesions of at least this volume are scored by overlap."""
    detected_at: Share
    """Least Dice of a detected one."""


class Matched(Model):
    """One-to-one matched instances of 2026."""

    profile: Literal["brats2026"]
    match_at: Share = 1e-6
    """Least Dice of a matched pair."""
    infinity: Positive = 373
    """HD95 that stands for an infinite one."""
    missing_case: Positive = 373
    """HD95 of a case without a map."""
    nsd_tolerance: Positive = 0.5
    """Of the whole mask's normalised surface Dice, in voxels."""
    small_lesions: SmallLesions | None = None


class Overlap(Model):
    """Whole-mask scores alone."""

    profile: Literal["mbas", "plain"]
    nsd_tolerances: Once[Positive] = (0.5, 1.0)
    """Of the plain profile's normalised surface Dice, in mm."""


Metrics: TypeAlias = Annotated[LesionWise | Matched | Overlap, Field(discriminator="profile")]
