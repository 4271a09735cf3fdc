"""The folder of a run: where its files lie, and dataset.yaml, the list of its cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

import yaml
from pydantic import Field, model_validator

from segcube.core import (
    LIST_LIMITS,
    Case,
    EnvironmentFault,
    FileName,
    Name,
    StrictModel,
    UsageError,
    read_model,
    write_atomic,
)

MOST_FOLDS = 1000
FoldNumber: TypeAlias = "int | Literal['all']"
"""A fold's number, or `all`: trained on every case, validated on none."""


class CaseEntry(StrictModel):
    """A labelled case of a run; paths are absolute."""

    name: Name
    files: dict[Name, Path]
    """By channel."""
    label: Path
    patient: Name
    source: Annotated[int, Field(ge=0)] | None = None
    """Number in `sources` of the further data folder that it lies in."""


class SourceEntry(StrictModel):
    """A further data folder of a run: its challenge, and what its labels become in training."""

    data: Path
    challenge: FileName
    """A key, or a file in the run's folder."""
    labels: dict[Name, Name]
    """The run's label, `background` or `ignore` for each of its labels."""
    ignore_value: Annotated[int, Field(ge=0, le=65535)] | None = None
    in_folds: bool = False
    """Whether its cases are validated too."""
    patients: tuple[Name, ...] = ()
    """Whose cases its own were sampled from, by a generative model, and the names of these cases.

    None of them may be validated.
    """


class DatasetFile(StrictModel):
    """dataset.yaml: the cases of a run, and the label value of voxels that take no part in it."""

    data: Path
    challenge: FileName
    reference: Name
    """The channel whose grid label maps repeat."""
    components: dict[Name, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    """Of channels that are one of several components of a PNG."""
    ignore_value: Annotated[int, Field(ge=0, le=65535)] | None = None
    sources: tuple[SourceEntry, ...] = ()
    cases: Annotated[tuple[CaseEntry, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        for case in self.cases:
            if case.source is not None and case.source >= len(self.sources):
                raise ValueError(f"{case.name}: source {case.source}; {len(self.sources)} are listed")
        return self

    def case(self, name: str) -> Case:
        """Return a case by its name. Raises UsageError for an unknown one."""
        entry = next((case for case in self.cases if case.name == name), None)
        if entry is None:
            raise UsageError(f"unknown case {name}", expected="a case of dataset.yaml")
        return Case(entry.name, entry.files, self.reference, self.components)

    def label(self, name: str) -> Path:
        """Return the label map of a case."""
        return next(case.label for case in self.cases if case.name == name)


@dataclass(frozen=True)
class RunFolder:
    """A run's files and folders; `segcube plan` writes the first four."""

    root: Path

    @property
    def plan(self) -> Path:
        return self.root / "plan.yaml"

    @property
    def dataset(self) -> Path:
        return self.root / "dataset.yaml"

    @property
    def folds(self) -> Path:
        return self.root / "folds.yaml"

    @property
    def fingerprint(self) -> Path:
        return self.root / "fingerprint.json"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def problems(self) -> Path:
        """A table of all problems of the data."""
        return self.root / "problems.csv"

    @property
    def validation(self) -> Path:
        return self.root / "validation"

    @property
    def name(self) -> str:
        """The name of the run, which its submission gets."""
        return self.root.resolve().name

    def fold(self, fold: FoldNumber) -> FoldFolder:
        """Return the folder of a fold's training."""
        return FoldFolder(self.root / f"fold_{fold}")

    def validated(self, fold: FoldNumber) -> ValidationFolder:
        """Return the folder of a fold's out-of-fold validation."""
        return ValidationFolder(self.validation / f"fold_{fold}")

    def check(self) -> None:
        """Raise UsageError for a folder that `segcube plan` has not written."""
        if not self.plan.is_file() and self.problems.is_file():
            found = "no plan.yaml: segcube plan found errors in the data"
            raise UsageError(found, file=self.problems, hint="correct what it lists, and plan again")
        if not self.plan.is_file():
            hint = "segcube plan writes it"
            raise UsageError("no plan.yaml", file=self.root, expected="the folder of a run", hint=hint)


@dataclass(frozen=True)
class FoldFolder:
    """The files of a fold's training."""

    root: Path

    @property
    def log(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def first_batch(self) -> Path:
        """A picture of augmented patches, drawn before the first step."""
        return self.root / "first-batch.png"

    @property
    def environment(self) -> Path:
        """Device and versions that the fold was trained with, as JSON."""
        return self.root / "environment.json"

    @property
    def origin(self) -> Path:
        """Digests of what the weights were trained with."""
        return self.root / "origin.json"

    @property
    def start(self) -> Path:
        """The trained weights that the fold started from; no file for random ones."""
        return self.root / "start.yaml"

    @property
    def start_table(self) -> Path:
        """What became of each tensor of these."""
        return self.root / "start.csv"

    @property
    def final(self) -> Path:
        """The averaged weights after the last step; a training is finished when they are there."""
        return self.root / "final.safetensors"

    @property
    def best(self) -> Path:
        """The averaged weights of the validation with the highest score."""
        return self.root / "best.safetensors"


@dataclass(frozen=True)
class ValidationFolder:
    """The files of a fold's out-of-fold validation; scores.json and scores.csv are beside them."""

    root: Path

    @property
    def maps(self) -> Path:
        return self.root / "maps"

    @property
    def probabilities(self) -> Path:
        return self.root / "probabilities"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    @property
    def report(self) -> Path:
        """Of the predictions."""
        return self.root / "report.json"

    @property
    def summary(self) -> Path:
        """FoldScores."""
        return self.root / "summary.json"


def parse_fold(text: str) -> FoldNumber:
    """Parse the number of a fold, or `all`. Raises UsageError for another text."""
    if text == "all":
        return "all"
    if not text.isdecimal():
        raise UsageError(f"fold {text!r}", expected="a number such as 0, or all")
    return int(text)


def parse_folds(text: str) -> list[FoldNumber]:
    """Parse folds such as `0,2`, `0-4` or `all`, without repetitions. Raises UsageError for another text."""
    folds: list[FoldNumber] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if dash and first.isdecimal() and last.isdecimal() and int(last) - int(first) < MOST_FOLDS:
            folds += range(int(first), int(last) + 1)
        else:
            folds.append(parse_fold(part.strip()))
    return list(dict.fromkeys(folds))


def read_dataset(run: RunFolder) -> DatasetFile:
    """Read dataset.yaml. Raises EnvironmentFault for a file that is missing or invalid."""
    run.check()
    return read_model(run.dataset, DatasetFile, EnvironmentFault, LIST_LIMITS)


def write_dataset(dataset: DatasetFile, run: RunFolder) -> None:
    """Write dataset.yaml atomically."""
    content = yaml.safe_dump(dataset.model_dump(mode="json"), sort_keys=False, width=110, allow_unicode=True)
    write_atomic(run.dataset, content.encode())
