"""Read lists of folds as other programs write them: BraTS-UGRIP's JSON and nnU-Net's splits_final.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel, ValidationError

from segcube.core import UsageError, explain_validation_error, read_json
from segcube.spec.challenges import nifti_stem
from segcube.training.cases.pairing import LabelledCase

TRAINING_ONLY = -1
"""BraTS-UGRIP's fold of cases that train every fold."""
MAX_FOLDS = 1000
EXPECTED = "BraTS-UGRIP's {training: [{fold, label}, ...]} or nnU-Net's [{train: [...], val: [...]}, ...]"


@dataclass(frozen=True)
class FoldLists:
    """Folds as a file lists them, before they are checked."""

    source: str
    validation: tuple[tuple[str, ...], ...]
    training_only: tuple[str, ...] = ()
    training: tuple[tuple[str, ...], ...] | None = None
    """The training cases of each fold, where these are not simply all others."""

    def listed(self) -> set[str]:
        """Return the names of all cases."""
        lists = (*self.validation, self.training_only, *(self.training or ()))
        return {name for names in lists for name in names}

    def with_training_only(self, names: Sequence[str]) -> FoldLists:
        """Return the lists with further cases that train every fold."""
        training = None if self.training is None else tuple((*listed, *names) for listed in self.training)
        return replace(self, training_only=(*self.training_only, *names), training=training)

    def training_of(self, fold: int) -> set[str]:
        """Return the training cases of a fold."""
        return (
            self.listed() - set(self.validation[fold]) if self.training is None else set(self.training[fold])
        )


class _Entry(BaseModel):
    """A case of BraTS-UGRIP's list."""

    fold: Annotated[int, Field(strict=True, ge=TRAINING_ONLY, lt=MAX_FOLDS)]
    label: str
    """CASE/CASE-seg.nii.gz."""


class _UgripLists(BaseModel):
    training: Annotated[tuple[_Entry, ...], Field(min_length=1)]


class _Split(BaseModel):
    train: tuple[str, ...]
    val: tuple[str, ...]


class _Splits(RootModel[tuple[_Split, ...]]):
    """splits_final.json: training and validation cases of each fold."""


def read_fold_lists(file: Path, cases: Sequence[LabelledCase]) -> FoldLists:
    """Read the folds of another program; cases: some of the listed ones, to recognise them by their labels.

    Raises UsageError for a file of another kind.
    """
    content: Any = read_json(file, UsageError, EXPECTED)
    model = _Splits if isinstance(content, list) else _UgripLists
    try:
        read = model.model_validate(content)
    except ValidationError as error:
        found = explain_validation_error(error, model)
        raise UsageError(found, file=file, expected=EXPECTED) from error
    return _of_splits(read.root, file) if isinstance(read, _Splits) else _of_entries(read, file, cases)


def _of_entries(read: _UgripLists, file: Path, cases: Sequence[LabelledCase]) -> FoldLists:
    by_label = {case.label.name: case.name for case in cases}
    named = [(entry.fold, _case_of(entry.label, by_label)) for entry in read.training]
    last = max(fold for fold, _ in named)
    return FoldLists(
        file.name,
        tuple(tuple(name for fold, name in named if fold == number) for number in range(last + 1)),
        tuple(name for fold, name in named if fold == TRAINING_ONLY),
    )


def _case_of(label: str, by_label: Mapping[str, str]) -> str:
    path = PurePosixPath(label)
    return by_label.get(path.name) or path.parent.name or nifti_stem(path.name) or path.name


def _of_splits(splits: Sequence[_Split], file: Path) -> FoldLists:
    """A case that no fold validates is for training only; other lists than all others are kept."""
    validation, training = tuple(split.val for split in splits), tuple(split.train for split in splits)
    validated = {name for names in validation for name in names}
    only = tuple(sorted({name for names in training for name in names} - validated))
    simple = FoldLists(file.name, validation, only)
    is_simple = all(sorted(names) == sorted(simple.training_of(fold)) for fold, names in enumerate(training))
    return simple if is_simple else FoldLists(file.name, validation, only, training)
