"""Problems of folds: leaks of patients, and cases that are unknown, missing or repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from segcube.core import Code, printable
from segcube.training.cases.folds.lists import FoldLists
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import Problem, problem


def fold_problems(
    lists: FoldLists, cases: Sequence[LabelledCase], file: Path, *, phantoms_alone: bool = False
) -> Iterator[Problem]:
    """Report everything that keeps folds from being used; file: that they were read from.

    phantoms_alone: no case trains, so that a fold needs none for training.
    """
    yield from _repeated(lists, file)
    listed, known = lists.listed(), {case.name: case for case in cases}
    for name in sorted(listed - known.keys()):
        found = f"lists {name!r}, which is no labelled case"
        hint = "add its files, named as the challenge names cases, or remove it from the folds"
        yield problem(Code.FOLD_UNKNOWN, printable(name), found, file=file, hint=hint)
    for name in sorted(known.keys() - listed):
        hint = "add it to the folds (for training only as fold -1), or remove the case"
        yield problem(Code.FOLD_MISSING, name, f"does not list the case {name}", file=file, hint=hint)
    yield from _empty(lists, file, ("validation",) if phantoms_alone else ("training", "validation"))
    yield from _validated_extra(lists, known, file)
    yield from _leaks(lists, known, file)


def _repeated(lists: FoldLists, file: Path) -> Iterator[Problem]:
    """Report cases that are listed twice for validation, or for training and validation of one fold."""
    places: dict[str, list[str]] = {}
    for fold, names in enumerate(lists.validation):
        for name in names:
            places.setdefault(name, []).append(f"the validation cases of fold {fold}")
    for name in lists.training_only if lists.training is None else ():
        places.setdefault(name, []).append("the cases for training only")
    for fold, names in enumerate(lists.training or ()):
        for name, count in Counter(names).items():
            if count > 1 or name in lists.validation[fold]:
                places.setdefault(name, []).extend([f"the training cases of fold {fold}"] * count)
    hint = "list it once"
    for name, found in sorted(places.items()):
        if len(found) > 1:
            listed = f"lists {name} in {' and in '.join(found)}"
            yield problem(Code.FOLD_TWICE, name, listed, file=file, hint=hint)


def _empty(lists: FoldLists, file: Path, needed: Collection[str]) -> Iterator[Problem]:
    """Report folds without cases of a kind that they need."""
    hint = "add cases, or remove the fold"
    if not lists.validation:
        yield problem(Code.FOLD_EMPTY, "", "no fold has a validation case", file=file, hint=hint)
    for fold, validation in enumerate(lists.validation):
        for kind, names in (("training", lists.training_of(fold)), ("validation", validation)):
            if not names and kind in needed:
                yield problem(Code.FOLD_EMPTY, "", f"fold {fold} has no {kind} case", file=file, hint=hint)


def _validated_extra(lists: FoldLists, known: Mapping[str, LabelledCase], file: Path) -> Iterator[Problem]:
    """Report cases of further data that only train, and that a fold validates."""
    hint = "list it for training only, or plan with --in-folds"
    for fold, validation in enumerate(lists.validation):
        for name in validation:
            if name in known and known[name].is_training_only:
                found = f"fold {fold} validates {name}, which is a case of further data (--extra)"
                yield problem(Code.FOLD_LEAK, name, found, file=file, hint=hint)


def _leaks(lists: FoldLists, known: Mapping[str, LabelledCase], file: Path) -> Iterator[Problem]:
    """Report each patient that a fold both trains and validates on, once, with two of the cases."""
    reported: set[str] = set()
    for fold, validation in enumerate(lists.validation):
        trained = _by_patient(lists.training_of(fold) - set(validation), known)
        validated = _by_patient(validation, known)
        for patient in sorted(trained.keys() & validated.keys() - reported):
            reported.add(patient)
            one, other = validated[patient], trained[patient]
            found = f"fold {fold} validates {one} and trains {other}, both of the patient {patient}"
            hint = "move all cases of the patient to one fold"
            yield problem(Code.FOLD_LEAK, one, found, file=file, hint=hint)


def _by_patient(names: Collection[str], known: Mapping[str, LabelledCase]) -> dict[str, str]:
    """One of the cases of each patient."""
    return {known[name].patient: name for name in sorted(names, reverse=True) if name in known}
