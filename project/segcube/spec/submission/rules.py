"""Schema of the postprocessing rules of a submission."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import Name, Names, StrictModel, VoxelCount, check_unique
from segcube.spec.challenges.schema import Paint

Connectivity: TypeAlias = Literal[6, 18, 26]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]


class Threshold(StrictModel):
    """Threshold the probabilities of regions; regions that are not listed have 0.5."""

    rule: Literal["threshold"]
    at: Annotated[dict[Name, Probability], Field(min_length=1)]


class Holds(StrictModel):
    """Keep a component that contains this share of a kept component of another region, whatever its size."""

    region: Name
    share: Probability = 0.5


class KeepComponents(StrictModel):
    """Keep the components of a region by size and mean probability, at most `max_count` of the largest."""

    rule: Literal["keep_components"]
    region: Name
    connectivity: Connectivity = 26
    min_voxels: VoxelCount = 0
    min_mean_probability: Probability = 0.0
    max_count: Annotated[VoxelCount, Field(ge=1)] | None = None
    unless_holds: Holds | None = None

    @model_validator(mode="after")
    def _check_other_region(self) -> Self:
        if self.unless_holds and self.unless_holds.region == self.region:
            raise ValueError(f"unless_holds.region is {self.region} itself; expected another region")
        return self


class Nest(StrictModel):
    """Add each region to the next one in the order, innermost first."""

    rule: Literal["nest"]
    order: Annotated[Names, Field(min_length=2)]


class Fill(StrictModel):
    """Fill the holes of regions."""

    rule: Literal["fill"]
    regions: Names


class Retry(StrictModel):
    """Threshold an empty region again, at `factor` times its highest probability."""

    rule: Literal["retry"]
    region: Name
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5


def _unique_regions(order: tuple[Paint, ...]) -> tuple[Paint, ...]:
    check_unique("regions", (paint.region for paint in order))
    return order


Paints: TypeAlias = Annotated[tuple[Paint, ...], AfterValidator(_unique_regions)]
"""Regions and their labels, in order of writing."""


class Write(StrictModel):
    """Write regions to the label map, later ones over earlier ones; by default in the challenge's order."""

    rule: Literal["write"]
    order: Annotated[Paints, Field(min_length=1)]


class LargestComponent(StrictModel):
    """Keep the largest component of each label, or of the union of the labels (`together`)."""

    rule: Literal["largest_component"]
    labels: Names
    connectivity: Connectivity = 26
    together: bool = False


class ReplaceSmall(StrictModel):
    """Replace a label by another one where the label map has fewer than `below` voxels of it."""

    rule: Literal["replace_small"]
    label: Name
    below: Annotated[VoxelCount, Field(ge=1)]
    with_: Annotated[Name, Field(alias="with")]

    @model_validator(mode="after")
    def _check_other_label(self) -> Self:
        if self.label == self.with_:
            raise ValueError(f"with is {self.label} itself; expected another label")
        return self


RegionRule: TypeAlias = Threshold | KeepComponents | Nest | Fill | Retry
LabelRule: TypeAlias = LargestComponent | ReplaceSmall
Rule: TypeAlias = Annotated[RegionRule | Write | LabelRule, Field(discriminator="rule")]
