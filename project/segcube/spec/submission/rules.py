"""Postprocessing rules of a submission, as data."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import Model, Name, Names, Voxels, expect_once

Connectivity: TypeAlias = Literal[6, 18, 26]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]


class Threshold(Model):
    """A region is where its probability lies above a bound; regions that are not named keep 0.5."""

    rule: Literal["threshold"]
    at: Annotated[dict[Name, Probability], Field(min_length=1)]


class Holds(Model):
    """Keep a component, whatever its size, that holds this share of a kept object of another region."""

    region: Name
    share: Probability = 0.5


class KeepComponents(Model):
    """Keep a region's components that are large and sure enough, the largest first."""

    rule: Literal["keep_components"]
    region: Name
    connectivity: Connectivity = 26
    min_voxels: Voxels = 0
    min_mean_probability: Probability = 0.0
    max_count: Annotated[Voxels, Field(ge=1)] | None = None
    unless_holds: Holds | None = None

    @model_validator(mode="after")
    def _holds_another_region(self) -> Self:
        if self.unless_holds and self.unless_holds.region == self.region:
            raise ValueError(f"unless_holds names {self.region} itself, not another region")
        return self


class Nest(Model):
    """Each region joins the next one of the order, the innermost first."""

    rule: Literal["nest"]
    order: Annotated[Names, Field(min_length=2)]


class Fill(Model):
    """Fill the holes of regions."""

    rule: Literal["fill"]
    regions: Names


class Retry(Model):
    """Try an empty region again at a share of its highest probability."""

    rule: Literal["retry"]
    region: Name
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5


class Paint(Model):
    """A region and the label that it is written as."""

    region: Name
    label: Name


def _regions_once(order: tuple[Paint, ...]) -> tuple[Paint, ...]:
    expect_once("painted regions", (paint.region for paint in order))
    return order


Paints: TypeAlias = Annotated[tuple[Paint, ...], AfterValidator(_regions_once)]
"""Painted one over the other; a region twice would cover itself."""


class Write(Model):
    """Paint regions into labels, later ones over earlier ones; without it the challenge's order serves."""

    rule: Literal["write"]
    order: Annotated[Paints, Field(min_length=1)]


class LargestComponent(Model):
    """Keep the largest component of each label, or of all of them together."""

    rule: Literal["largest_component"]
    labels: Names
    connectivity: Connectivity = 26
    together: bool = False


class ReplaceSmall(Model):
    """A label with fewer voxels than a bound in the whole map becomes another label."""

    rule: Literal["replace_small"]
    label: Name
    below: Annotated[Voxels, Field(ge=1)]
    with_: Annotated[Name, Field(alias="with")]

    @model_validator(mode="after")
    def _becomes_another_label(self) -> Self:
        if self.label == self.with_:
            raise ValueError(f"{self.label} becomes itself, not another label")
        return self


RegionRule: TypeAlias = Threshold | KeepComponents | Nest | Fill | Retry
LabelRule: TypeAlias = LargestComponent | ReplaceSmall
Rule: TypeAlias = Annotated[RegionRule | Write | LabelRule, Field(discriminator="rule")]
