"""A challenge as data: names, channels, labels, regions, geometry and metric constants."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.challenges.base import Model
from segcube.challenges.metrics import LesionWise, Metrics, Overlap
from segcube.validation import AxisCodes

Names: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Length: TypeAlias = Annotated[float, Field(gt=0.0)]

BACKGROUND = "background"


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


Pattern: TypeAlias = Annotated[str, AfterValidator(_compiles)]


class Channel(Model):
    """An input image of a case."""

    name: str
    suffixes: Names
    """What stands between the case's name and .nii or .nii.gz; any of them names this channel."""


class UsualGrid(Model):
    """A grid that the challenge's images come in."""

    shape: tuple[Count, Count, Count]
    spacing: tuple[Length, Length, Length]
    orientation: AxisCodes | None = None
    """Where each voxel axis runs to, such as LPS; none where the challenge has no usual one."""


class Geometry(Model):
    """The grids to be expected."""

    fixed: bool
    """Whether another grid is worth a notice; if not, the grids below are mere examples."""
    grids: Annotated[tuple[UsualGrid, ...], Field(min_length=1)]


class Paint(Model):
    """A region and the label that it is written as."""

    region: str
    label: str


class Challenge(Model):
    """All that the code must know about an edition and task of a challenge."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    title: str
    case: Pattern
    """A case's whole name, as a regular expression."""
    aliases: tuple[Pattern, ...] = ()
    """Further names that hosts give to cases."""
    made_case: str
    """How a made case is named, from its number."""
    layout: Literal["folders", "walk"]
    """folders: case folders and flat files; walk: files at any depth."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    reference: str
    """The channel whose grid and header the label map keeps."""
    label_suffixes: tuple[str, ...] = ()
    """Of expert labels, which may lie beside the images."""
    labels: dict[str, Annotated[int, Field(ge=0, le=65535)]]
    regions: dict[str, Names]
    scored: Names
    write: Annotated[tuple[Paint, ...], Field(min_length=1)]
    """Default order in which regions are painted, later ones over earlier ones."""
    geometry: Geometry
    output: str = "{case}.nii.gz"
    evaluator_pattern: Pattern | None = None
    """What the organisers' evaluator searches for in a map's file name."""
    metrics: Metrics = Overlap(profile="plain")

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels, in the challenge's order."""
        return tuple(channel.name for channel in self.channels)

    def is_case(self, name: str, aliases: bool = True) -> bool:
        """Whether the whole of `name` is a case's name, or one that a host may send."""
        patterns = (self.case, *(self.aliases if aliases else ()))
        return any(re.fullmatch(pattern, name, re.ASCII) for pattern in patterns)

    def output_name(self, case: str) -> str:
        """File name of a case's label map."""
        return self.output.format(case=case)

    @model_validator(mode="after")
    def _names_are_sound(self) -> Self:
        _expect_once("channels", [channel.name for channel in self.channels])
        suffixes = [suffix for channel in self.channels for suffix in channel.suffixes]
        _expect_once("suffixes", [*suffixes, *self.label_suffixes])
        _expect_known("reference", [self.reference], [channel.name for channel in self.channels])
        made = self.made_case.format(number=1)
        if not self.is_case(made):
            raise ValueError(f"made_case gives {made!r}, which is no case")
        named = self.output_name("{case}")
        if named.count("{case}") != 1 or "/" in named or not named.endswith(".nii.gz"):
            raise ValueError(f"output {self.output!r} does not name one .nii.gz file a case")
        if self.evaluator_pattern and not re.search(self.evaluator_pattern, self.output_name(made)):
            raise ValueError(f"evaluator_pattern does not find {self.output_name(made)!r}")
        return self

    @model_validator(mode="after")
    def _labels_are_sound(self) -> Self:
        if self.labels.get(BACKGROUND) != 0:
            raise ValueError(f"labels have no {BACKGROUND}, or not with the value 0")
        _expect_once("label values", list(self.labels.values()))
        for region, labels in self.regions.items():
            _expect_known(f"region {region}", labels, self.labels)
        _expect_known("scored", self.scored, self.regions)
        _expect_known("write", [paint.region for paint in self.write], self.regions)
        _expect_known("write", [paint.label for paint in self.write], self.labels)
        if isinstance(self.metrics, LesionWise) and set(self.metrics.regions) != set(self.scored):
            raise ValueError(f"metrics know {list(self.metrics.regions)}, scored are {list(self.scored)}")
        return self


def _expect_once(place: str, names: list[str] | list[int]) -> None:
    if len(set(names)) != len(names):
        raise ValueError(f"{place} repeat: {', '.join(map(str, names))}")


def _expect_known(
    place: str, names: list[str] | Names, known: list[str] | dict[str, int] | dict[str, Names]
) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{place}: {', '.join(unknown)} is not among {', '.join(known)}")
