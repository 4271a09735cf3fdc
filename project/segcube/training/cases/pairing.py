"""Pair the cases of a data folder with their label maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from segcube.core import Case, Code, FileName, printable
from segcube.formats import file_exists
from segcube.spec.challenges import Challenge
from segcube.training.cases.problems import Problem, problem
from segcube.training.cases.sources import Source

_NAME = TypeAdapter[str](FileName)


@dataclass(frozen=True)
class LabelledCase:
    """A case with its label map."""

    case: Case
    label: Path
    patient: str
    """Cases of one patient are never in training and validation of the same fold."""
    source: Source | None = None
    """Of a case that lies in a further data folder."""
    previous: Path | None = None
    """The label map that the previous stage of a cascade predicted out of fold."""

    @property
    def name(self) -> str:
        """The case's name."""
        return self.case.name

    @property
    def is_training_only(self) -> bool:
        """Whether the case trains every fold and is never validated."""
        return self.source is not None and not self.source.in_folds


@dataclass(frozen=True)
class FoundCases:
    """Content of a data folder: cases and label maps before they are paired."""

    cases: tuple[Case, ...]
    """Complete cases."""
    refused: frozenset[str]
    """Names of cases that are not complete."""
    labels: Mapping[str, tuple[Path, ...]]
    """The label maps of each case."""
    label_folder: Path
    label_ending: str
    """What follows a case's name in the usual name of its label map."""
    problems: tuple[Problem, ...] = ()
    ignored: tuple[str, ...] = ()
    ignore_value: int | None = None
    """The value of the ignore label, where the data set declares one."""


def pair_with_labels(
    found: FoundCases, challenge: Challenge, orphans_are_errors: bool
) -> tuple[list[LabelledCase], list[Problem]]:
    """Return the cases that have one label map, sorted by name, and the problems of all others.

    challenge: which names the patient of a case.
    """
    paired: list[LabelledCase] = []
    problems = list(_name_problems(found.cases))
    unusable = {wrong.case for wrong in problems}
    for case in sorted(found.cases, key=lambda case: case.name):
        files = found.labels.get(case.name, ())
        if wrong := _label_problem(case, files, found):
            problems.append(wrong)
        elif printable(case.name) not in unusable:
            paired.append(LabelledCase(case, files[0], challenge.patient_of(case.name)))
    orphans = found.labels.keys() - {case.name for case in found.cases} - found.refused
    for name in sorted(orphans):
        orphan = problem(
            Code.LABEL_ORPHAN,
            printable(name),
            f"is a label map of {name}, which has no images",
            file=found.labels[name][0],
            expected="the images of the case in the data folder",
            hint="add the images, correct their names or endings, or remove the label map",
        )
        problems.append(orphan if orphans_are_errors else orphan.as_notice())
    return paired, problems


def _label_problem(case: Case, files: Sequence[Path], where: FoundCases) -> Problem | None:
    if len(files) > 1:
        others = " and ".join(str(file) for file in files[1:])
        return problem(
            Code.LABEL_DUPLICATE,
            printable(case.name),
            f"{others} is a label map of the case as well",
            file=files[0],
            expected="one label map for each case",
            hint="leave one of them",
        )
    if files and file_exists(files[0]):
        return None
    found = "is a link to nothing" if files else f"has no label map of {case.name}"
    name = f"{case.name}{where.label_ending}"
    return problem(
        Code.LABEL_MISSING,
        printable(case.name),
        found,
        file=files[0] if files else where.label_folder,
        expected=f"{name} for the image {case.reference_file}",
        hint="add the label map, name the folder of the label maps with --ref (or --extra-ref), "
        "or move the case away",
    )


def _name_problems(cases: Sequence[Case]) -> Iterator[Problem]:
    """Report names that cannot be folders of the cache, and names that differ only in case."""
    seen: dict[str, Case] = {}
    for case in sorted(cases, key=lambda case: case.name):
        file = case.reference_file
        hint = "rename the files of the case"
        try:
            _NAME.validate_python(case.name)
        except ValidationError as error:
            found = f"the case is named {case.name!r}"
            why = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            yield problem(Code.CASE_NAME, printable(case.name), f"{found}: {why}", file=file, hint=hint)
            continue
        other = seen.setdefault(case.name.casefold(), case)
        if other is not case:
            found = f"the case {case.name} differs from {other.name} only in upper and lower case"
            yield problem(Code.CASE_NAME, case.name, found, file=file, expected="other names", hint=hint)
