"""Postprocessing rules of a submission, as data."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Connectivity: TypeAlias = Literal[6, 18, 26]
Probability: TypeAlias = Annotated[float, Field(ge=0.0, le=1.0)]


class Model(BaseModel):
    """A part of a submission: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Threshold(Model):
    """A region is where its probability lies above a bound; regions that are not named keep 0.5."""

    rule: Literal["threshold"]
    at: dict[str, Probability]


class Holds(Model):
    """Keep a component, whatever its size, that holds this share of a kept object of another region."""

    region: str
    share: Probability = 0.5


class KeepComponents(Model):
    """Keep a region's components that are large and sure enough, the largest first."""

    rule: Literal["keep_components"]
    region: str
    connectivity: Connectivity = 26
    min_voxels: Annotated[int, Field(ge=0)] = 0
    min_mean_probability: Probability = 0.0
    max_count: Annotated[int, Field(ge=1)] | None = None
    unless_holds: Holds | None = None


class Nest(Model):
    """Each region joins the next one of the order, the innermost first."""

    rule: Literal["nest"]
    order: Annotated[tuple[str, ...], Field(min_length=2)]


class Fill(Model):
    """Fill the holes of regions."""

    rule: Literal["fill"]
    regions: Annotated[tuple[str, ...], Field(min_length=1)]


class Retry(Model):
    """Try an empty region again at a share of its highest probability."""

    rule: Literal["retry"]
    region: str
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5


class Paint(Model):
    """A region and the label that it is written as."""

    region: str
    label: str


class Write(Model):
    """Paint regions into labels, later ones over earlier ones; without it the challenge's order serves."""

    rule: Literal["write"]
    order: Annotated[tuple[Paint, ...], Field(min_length=1)]


class LargestComponent(Model):
    """Keep the largest component of each label, or of all of them together."""

    rule: Literal["largest_component"]
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    connectivity: Connectivity = 26
    together: bool = False


class ReplaceSmall(Model):
    """A label with fewer voxels than a bound in the whole map becomes another label."""

    rule: Literal["replace_small"]
    label: str
    below: Annotated[int, Field(ge=1)]
    with_: Annotated[str, Field(alias="with")]


RegionRule: TypeAlias = Threshold | KeepComponents | Nest | Fill | Retry
LabelRule: TypeAlias = LargestComponent | ReplaceSmall
Rule: TypeAlias = Annotated[RegionRule | Write | LabelRule, Field(discriminator="rule")]
