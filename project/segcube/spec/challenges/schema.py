"""A challenge as data: names, channels, labels, regions, geometry and metric constants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import AxisCodes, Edge, Extents, Model, Name, Names, Once, expect_once
from segcube.spec.challenges.metrics import LesionWise, Metrics, Overlap

BACKGROUND = "background"


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"no regular expression: {error}") from error
    return pattern


def _expects(form: str, message: str) -> AfterValidator:
    """Check a whole text against a form.

    A text that is used as a format could otherwise ask for any attribute, and for any width.
    """

    def check(text: str) -> str:
        if not re.fullmatch(form, text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


Pattern: TypeAlias = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_compiles)]
Suffix: TypeAlias = Annotated[Name, _expects("[^/]+", "a part of a file name holds no slash")]
MadeCase: TypeAlias = Annotated[
    Name,
    _expects(r"[^{}/]*\{number(:0?[1-9]d)?\}[^{}/]*", "a name with {number}, or with digits: {number:03d}"),
]
Output: TypeAlias = Annotated[
    Name, _expects(r"[^{}/]*\{case\}[^{}/]*\.nii\.gz", "the name of one .nii.gz file a case, with {case}")
]


class Channel(Model):
    """An input image of a case."""

    name: Name
    suffixes: Annotated[Once[Suffix], Field(min_length=1)]
    """What stands between the case's name and .nii or .nii.gz; any of them names this channel."""


class UsualGrid(Model):
    """A grid that the challenge's images come in."""

    shape: Extents
    spacing: tuple[Edge, Edge, Edge]
    orientation: AxisCodes | None = None
    """Where each voxel axis runs to, such as LPS; none where the challenge has no usual one."""


class Geometry(Model):
    """The grids to be expected."""

    fixed: bool
    """Whether another grid is worth a notice; if not, the grids below are mere examples."""
    grids: Annotated[tuple[UsualGrid, ...], Field(min_length=1)]


class Paint(Model):
    """A region and the label that it is written as."""

    region: Name
    label: Name


class Challenge(Model):
    """All that the code must know about an edition and task of a challenge."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)]
    title: Name
    case: Pattern
    """A case's whole name, as a regular expression."""
    aliases: Once[Pattern] = ()
    """Further names that hosts give to cases."""
    made_case: MadeCase
    """How a made case is named, from its number."""
    layout: Literal["folders", "walk"]
    """folders: case folders and flat files; walk: files at any depth."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    reference: Name
    """The channel whose grid and header the label map keeps."""
    label_suffixes: Once[Suffix] = ()
    """Of expert labels, which may lie beside the images."""
    labels: dict[Name, Annotated[int, Field(ge=0, le=65535)]]
    regions: dict[Name, Names]
    scored: Names
    write: Annotated[tuple[Paint, ...], Field(min_length=1)]
    """Default order in which regions are painted, later ones over earlier ones."""
    geometry: Geometry
    output: Output = "{case}.nii.gz"
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
        expect_once("channels", [channel.name for channel in self.channels])
        suffixes = [suffix for channel in self.channels for suffix in channel.suffixes]
        expect_once("suffixes", [*suffixes, *self.label_suffixes])
        _expect_known("reference", [self.reference], [channel.name for channel in self.channels])
        made = self.made_case.format(number=1)
        if not self.is_case(made):
            raise ValueError(f"made_case gives {made!r}, which is no case")
        if self.evaluator_pattern and not re.search(self.evaluator_pattern, self.output_name(made)):
            raise ValueError(f"evaluator_pattern does not find {self.output_name(made)!r}")
        return self

    @model_validator(mode="after")
    def _labels_are_sound(self) -> Self:
        if self.labels.get(BACKGROUND) != 0:
            raise ValueError(f"labels have no {BACKGROUND}, or not with the value 0")
        expect_once("label values", self.labels.values())
        found = [label for label in self.labels if label != BACKGROUND]
        for region, labels in self.regions.items():
            _expect_known(f"region {region}", labels, found)
        _expect_known("scored", self.scored, self.regions)
        expect_once("regions of write", [paint.region for paint in self.write])
        _expect_known("write", [paint.region for paint in self.write], self.regions)
        _expect_known("write", [paint.label for paint in self.write], self.labels)
        if isinstance(self.metrics, LesionWise):
            self._lesions_are_sound(self.metrics)
        return self

    def _lesions_are_sound(self, metrics: LesionWise) -> None:
        if set(metrics.regions) != set(self.scored):
            raise ValueError(f"metrics know {list(metrics.regions)}, scored are {list(self.scored)}")
        _expect_known("relabel_touching", metrics.relabel_touching, metrics.regions)
        for region, labels in metrics.relabel_touching.items():
            others = [label for label in self.labels if label not in (BACKGROUND, region)]
            _expect_known(f"relabel_touching {region}", labels, others)


def _expect_known(place: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{place}: {', '.join(unknown)} is not among {', '.join(known)}")
