"""dataset.yaml, the list of a run's cases, and how these are cached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

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
from segcube.spec.challenges import Challenge
from segcube.spec.submission import read_challenge
from segcube.training.cache import CacheRules
from segcube.training.cases import LabelledCase, Source
from segcube.training.plan import Plan
from segcube.training.run.folder import RunFolder


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
    """Whose cases its own were sampled from, with the names of these; none of them may be validated."""


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


def read_dataset(run: RunFolder) -> DatasetFile:
    """Read dataset.yaml. Raises EnvironmentFault for a file that is missing or invalid."""
    run.check()
    return read_model(run.dataset, DatasetFile, EnvironmentFault, LIST_LIMITS)


def write_dataset(dataset: DatasetFile, run: RunFolder) -> None:
    """Write dataset.yaml atomically."""
    content = yaml.safe_dump(dataset.model_dump(mode="json"), sort_keys=False, width=110, allow_unicode=True)
    write_atomic(run.dataset, content.encode())


def run_challenge(run: RunFolder, plan: Plan) -> Challenge:
    """Return the challenge of a run: a shipped one, or the user's in the run's folder."""
    return read_challenge(plan.challenge, run.root)


def cache_rules(plan: Plan, dataset: DatasetFile, challenge: Challenge) -> CacheRules:
    """Return how the cases of a run are cached."""
    masks = tuple(plan.previous.labels.values()) if plan.previous is not None and plan.mask_channels else ()
    return CacheRules(plan.branch, challenge, dataset.ignore_value, plan.recipe.cascade, masks)


def labelled_cases(run: RunFolder, dataset: DatasetFile) -> list[LabelledCase]:
    """Return the cases of a run."""
    sources = [
        Source(
            read_challenge(entry.challenge, run.root),
            entry.labels,
            entry.ignore_value,
            entry.in_folds,
            entry.patients,
        )
        for entry in dataset.sources
    ]
    return [
        LabelledCase(
            dataset.case(entry.name),
            entry.label,
            entry.patient,
            None if entry.source is None else sources[entry.source],
        )
        for entry in dataset.cases
    ]
