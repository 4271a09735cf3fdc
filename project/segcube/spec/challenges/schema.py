"""Schema of a challenge file: names, channels, labels, regions, geometry and constants of metrics."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from segcube.core import AxisCodes, BoundedShape, Name, Names, SpacingMm, StrictModel, Unique, check_unique
from segcube.spec.challenges.metrics import LesionWise, Metrics, Overlap
from segcube.spec.patients import patient_of

BACKGROUND = "background"
ENDINGS = {"nifti": (".nii.gz", ".nii"), "png": (".png",)}
"""Of file names, by format."""


def stem_of(name: str, endings: Iterable[str]) -> str | None:
    """Return a file name without its ending; None for other endings."""
    return next((name.removesuffix(ending) for ending in endings if name.endswith(ending)), None)


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


def _matches(pattern: str, expected: str) -> AfterValidator:
    """Return a validator that matches a whole text with a pattern.

    Format strings need one: a field could otherwise access any attribute and be of any width.
    """

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


Pattern: TypeAlias = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_compiles)]
Suffix: TypeAlias = Annotated[Name, _matches("[^/]+", "a part of a file name, without slash")]
NumberedName: TypeAlias = Annotated[
    Name,
    _matches(r"[^{}/]*\{number(:0?[1-9]d)?\}[^{}/]*", "a name with {number}, or with digits: {number:03d}"),
]
Output: TypeAlias = Annotated[
    Name,
    _matches(r"[^{}/]*\{case\}[^{}/]*\.(nii\.gz|png)", "the name of a .nii.gz or .png file, with {case}"),
]

PhantomKind: TypeAlias = Literal[
    "glioma",
    "treated-glioma",
    "paediatric",
    "metastases",
    "treated-metastases",
    "meningioma",
    "meningioma-radiotherapy",
    "mixed",
    "atria",
]


class Channel(StrictModel):
    """An input image of a case."""

    name: Name
    suffixes: Annotated[Unique[Suffix], Field(min_length=1)]
    """What follows the case's name in file names, before .nii.gz, .nii or .png; identifies the channel."""
    component: Annotated[int, Field(ge=0, le=3)] | None = None
    """Of a PNG with several, such as 0 for red; its channels have the same suffixes."""


class UsualGrid(StrictModel):
    """A grid on which the challenge distributes images."""

    shape: BoundedShape
    spacing: tuple[SpacingMm, SpacingMm, SpacingMm]
    orientation: AxisCodes | None = None
    """Direction of each voxel axis, such as LPS; null where it varies."""


class Geometry(StrictModel):
    """The grids of the challenge's images."""

    fixed: bool
    """Whether other grids give a notice; otherwise the grids are examples."""
    grids: Annotated[tuple[UsualGrid, ...], Field(min_length=1)]


class Paint(StrictModel):
    """A region, and the label that its voxels get in the label map."""

    region: Name
    label: Name


class Challenge(StrictModel):
    """A task of one edition of a challenge."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)]
    title: Name
    case: Pattern
    """Regular expression of a whole case name."""
    patient: Pattern | None = None
    """Regular expression of the part of a case name, from its start, that all scans of a patient share; null:
    the name without the number of the scan, as in BraTS-GLI-00001-000."""
    aliases: Unique[Pattern] = ()
    """Regular expressions of other names that hosts give to cases."""
    made_case: NumberedName
    """Names of synthetic cases, as a format of their number."""
    phantom: PhantomKind | None = None
    """What synthetic cases show; null: atria for the channel `lge` alone, otherwise glioma."""
    format: Literal["nifti", "png"] = "nifti"
    """Of images and label maps. png: images of one slice, whose pixels count as 1 mm."""
    layout: Literal["folders", "walk"]
    """folders: files in the data folder and in case folders; walk: files at any depth."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    reference: Name
    """The channel whose grid and header the label map repeats."""
    label_suffixes: Unique[Suffix] = ()
    """Suffixes of reference labels, which may be beside the images."""
    labels: dict[Name, Annotated[int, Field(ge=0, le=65535)]]
    regions: dict[Name, Names]
    scored: Names
    write: Annotated[tuple[Paint, ...], Field(min_length=1)]
    """Default order of writing regions to the label map; later ones overwrite earlier ones."""
    geometry: Geometry
    output: Output = "{case}.nii.gz"
    evaluator_pattern: Pattern | None = None
    """Regular expression that the organisers' evaluator searches for in file names of label maps."""
    metrics: Metrics = Overlap(profile="plain")

    def __repr__(self) -> str:
        return f"<Challenge {self.key}>"

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, in the challenge's order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of the names of images and label maps."""
        return ENDINGS[self.format]

    @property
    def components(self) -> dict[str, int]:
        """The channels that are one of several components of a PNG."""
        return {one.name: one.component for one in self.channels if one.component is not None}

    def stem(self, name: str) -> str | None:
        """Return a file name without its ending; None for a file of another format."""
        return stem_of(name, self.endings)

    def patient_of(self, case: str) -> str:
        """Return the patient of a case; a name that `patient` does not match is a patient of its own."""
        if self.patient is None:
            return patient_of(case)
        match = re.match(self.patient, case, re.ASCII)
        return match[0] if match else case

    def is_case(self, name: str, aliases: bool = True) -> bool:
        """Return whether `name` is a case name; with `aliases`, also whether it is an alias."""
        patterns = (self.case, *(self.aliases if aliases else ()))
        return any(re.fullmatch(pattern, name, re.ASCII) for pattern in patterns)

    def output_name(self, case: str) -> str:
        """Return the file name of a case's label map."""
        return self.output.format(case=case)

    def case_of_output(self, stem: str) -> str | None:
        """Return the case of a label map's file name without its ending; None for any other name."""
        before, after = (stem_of(self.output, self.endings) or self.output).split("{case}")
        case = stem.removeprefix(before).removesuffix(after)
        return case if stem == f"{before}{case}{after}" else None

    def region_values(self, region: str) -> list[int]:
        """Return the label values of a region."""
        return [self.labels[label] for label in self.regions[region]]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        check_unique("channels", [channel.name for channel in self.channels])
        parts = [(suffix, channel.component) for channel in self.channels for suffix in channel.suffixes]
        check_unique("suffixes", [f"{suffix} {part}" for suffix, part in parts if part is not None])
        alone = [suffix for suffix, part in parts if part is None]
        together = {suffix for suffix, part in parts if part is not None}
        check_unique("suffixes", [*alone, *together, *self.label_suffixes])
        if self.format != "png" and together:
            raise ValueError(f"component of channels with format {self.format}; expected format: png")
        if stem_of(self.output, self.endings) is None:
            expected = " or ".join(self.endings[:1])
            raise ValueError(
                f"output {self.output!r} with format {self.format}; expected a name in {expected}"
            )
        _expect_known("reference", [self.reference], [channel.name for channel in self.channels])
        made = self.made_case.format(number=1)
        if not self.is_case(made):
            found = f"made_case {self.made_case!r} gives {made!r}, which does not match case {self.case!r}"
            raise ValueError(found)
        if self.evaluator_pattern and not re.search(self.evaluator_pattern, self.output_name(made)):
            found = f"evaluator_pattern {self.evaluator_pattern!r} does not match {self.output_name(made)!r}"
            raise ValueError(found)
        return self

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if self.labels.get(BACKGROUND) != 0:
            raise ValueError(f"labels: expected {BACKGROUND} with value 0, found {dict(self.labels)}")
        check_unique("label values", self.labels.values())
        found = [label for label in self.labels if label != BACKGROUND]
        for region, labels in self.regions.items():
            _expect_known(f"region {region}", labels, found)
        _expect_known("scored", self.scored, self.regions)
        check_unique("regions in write", [paint.region for paint in self.write])
        _expect_known("write", [paint.region for paint in self.write], self.regions)
        _expect_known("write", [paint.label for paint in self.write], self.labels)
        if isinstance(self.metrics, LesionWise):
            self._check_lesions(self.metrics)
        return self

    def _check_lesions(self, metrics: LesionWise) -> None:
        if set(metrics.regions) != set(self.scored):
            raise ValueError(
                f"metrics.regions are {list(metrics.regions)}; expected those of scored, {list(self.scored)}"
            )
        _expect_known("relabel_touching", metrics.relabel_touching, metrics.regions)
        for region, labels in metrics.relabel_touching.items():
            others = [label for label in self.labels if label not in (BACKGROUND, region)]
            _expect_known(f"relabel_touching {region}", labels, others)


def _expect_known(place: str, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{place}: unknown {', '.join(unknown)}; expected one of {', '.join(known)}")
