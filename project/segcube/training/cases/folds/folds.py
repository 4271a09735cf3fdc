"""Folds: which cases each of them trains and validates on; made by patient, or read from a file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

import yaml
from pydantic import Field, model_validator

from segcube.core import (
    LIST_LIMITS,
    FileName,
    StrictModel,
    UsageError,
    check_unique,
    count_of,
    read_model,
    write_atomic,
)
from segcube.spec import split_by_patient
from segcube.training.cases.folds.lists import FoldLists, read_fold_lists
from segcube.training.cases.folds.problems import fold_problems
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import DataError

CaseNames: TypeAlias = tuple[FileName, ...]
MIN_FOLDS = 2


@dataclass(frozen=True)
class Split:
    """The cases of one fold, each sorted by name."""

    training: tuple[str, ...]
    validation: tuple[str, ...]


class Folds(StrictModel):
    """folds.yaml: the validation cases of each fold; the others train it."""

    source: Annotated[str, Field(min_length=1)]
    """How the folds were made, or the file that they were read from."""
    validation: Annotated[tuple[CaseNames, ...], Field(min_length=1)]
    """The validation cases of each fold."""
    training_only: CaseNames = ()
    """Cases that train every fold and are never validated."""
    training: tuple[CaseNames, ...] | None = None
    """The training cases of each fold, where these are not simply all others."""

    @property
    def cases(self) -> tuple[str, ...]:
        """All cases, sorted by name."""
        listed = (*self.validation, self.training_only, *(self.training or ()))
        return tuple(sorted({name for names in listed for name in names}))

    def split(self, fold: int | Literal["all"]) -> Split:
        """Return the cases of a fold; `all` trains on every case and validates none.

        Raises UsageError for a fold that does not exist.
        """
        if fold == "all":
            return Split(self.cases, ())
        if not 0 <= fold < len(self.validation):
            raise UsageError(f"fold {fold}", expected=f"0 to {len(self.validation) - 1}, or all")
        validation = set(self.validation[fold])
        training = self.cases if self.training is None else self.training[fold]
        return Split(tuple(sorted(set(training) - validation)), tuple(sorted(validation)))

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_unique(
            "cases in validation and training_only",
            [*(name for names in self.validation for name in names), *self.training_only],
        )
        if not all(self.validation):
            raise ValueError("a fold without validation cases")
        if self.training is not None and len(self.training) != len(self.validation):
            found = f"{len(self.training)} folds in training and {len(self.validation)} in validation"
            raise ValueError(found)
        return self


def make_folds(
    cases: Sequence[LabelledCase], count: int = 5, seed: int = 12345, training_only: Collection[str] = ()
) -> Folds:
    """Distribute the patients of some cases at random to folds, in nearly equal numbers.

    training_only: names of cases that train every fold, besides those of further data. Raises UsageError for
    fewer patients than folds, and DataError for a patient with cases both among these and among the others.
    """
    training_only = {*training_only, *(case.name for case in cases if case.is_training_only)}
    validated = [case for case in cases if case.name not in training_only]
    patients = {case.patient for case in validated}
    if not MIN_FOLDS <= count <= len(patients):
        found = f"{count_of(count, 'fold')} of {count_of(len(patients), 'patient')}"
        expected = f"{MIN_FOLDS} folds or more, and a patient for each"
        raise UsageError(found, expected=expected, hint="choose another number of folds, or add cases")
    names, owners = [case.name for case in validated], [case.patient for case in validated]
    split = split_by_patient(names, count, seed, owners)
    lists = FoldLists(
        f"by patient, seed {seed}",
        tuple(tuple(names[index] for index in fold.validation) for fold in split),
        tuple(sorted(training_only)),
    )
    return _checked(lists, cases, Path(lists.source))


def one_fold(cases: Sequence[LabelledCase]) -> Folds:
    """Return a single fold that validates every case, for a training on phantoms alone."""
    validated = tuple(case.name for case in cases if not case.is_training_only)
    extra = tuple(case.name for case in cases if case.is_training_only)
    return Folds(source="all cases; phantoms train", validation=(validated,), training_only=extra)


def read_folds(
    file: Path, cases: Sequence[LabelledCase], *, of_other_run: bool = False, phantoms_alone: bool = False
) -> Folds:
    """Read folds for some cases: folds.yaml, BraTS-UGRIP's JSON or nnU-Net's splits_final.json.

    Cases of further data that only train need not be listed: they train every fold. of_other_run: leave out
    cases for training only that folds.yaml lists and this run does not have. phantoms_alone: no case trains,
    so that a fold needs none for training.
    Raises UsageError for a file that is none of these, and DataError with every problem of the folds: empty
    ones, unknown, missing and repeated cases, and patients in training and validation of one fold.
    """
    if file.suffix in (".yaml", ".yml"):
        folds = load_folds(file)
        lists = FoldLists(folds.source, folds.validation, folds.training_only, folds.training)
        if of_other_run:
            lists = _without_others(lists, cases)
    else:
        lists = read_fold_lists(file, cases)
    extra = sorted({case.name for case in cases if case.is_training_only} - lists.listed())
    return _checked(lists.with_training_only(extra), cases, file, phantoms_alone=phantoms_alone)


def _without_others(lists: FoldLists, cases: Sequence[LabelledCase]) -> FoldLists:
    unknown = set(lists.training_only) - {case.name for case in cases}
    return FoldLists(
        lists.source,
        lists.validation,
        tuple(name for name in lists.training_only if name not in unknown),
        lists.training and tuple(tuple(n for n in names if n not in unknown) for names in lists.training),
    )


def load_folds(file: Path) -> Folds:
    """Read folds.yaml on its own. Raises UsageError, naming the key and its value."""
    return read_model(file, Folds, UsageError, LIST_LIMITS)


def write_folds(folds: Folds, file: Path) -> None:
    """Write folds.yaml. Raises EnvironmentFault when it cannot be written."""
    content = folds.model_dump(mode="json", exclude_defaults=True)
    write_atomic(file, yaml.safe_dump(content, sort_keys=False, width=110).encode())


def _checked(
    lists: FoldLists, cases: Sequence[LabelledCase], file: Path, *, phantoms_alone: bool = False
) -> Folds:
    problems = tuple(fold_problems(lists, cases, file, phantoms_alone=phantoms_alone))
    if problems:
        raise DataError(problems, file)
    return Folds(
        source=lists.source,
        validation=lists.validation,
        training_only=lists.training_only,
        training=lists.training,
    )
