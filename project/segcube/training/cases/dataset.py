"""Find the labelled cases of a data folder: in a challenge's own layout, or nnU-Net's raw layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segcube.core import Code, UsageError
from segcube.evaluation import challenge_hint
from segcube.formats import discover_cases, find_label_files
from segcube.spec.challenges import Challenge
from segcube.training.cases.pairing import FoundCases, LabelledCase, pair_with_labels
from segcube.training.cases.problems import Problem, problem, problem_of
from segcube.training.cases.raw import find_raw_cases, is_raw_layout
from segcube.training.cases.sources import LABEL_VALUES, Source


@dataclass(frozen=True)
class LabelledData:
    """The labelled cases of a data folder, and the problems of those that were left out."""

    folder: Path
    challenge: Challenge
    cases: tuple[LabelledCase, ...]
    """Sorted by name."""
    problems: tuple[Problem, ...]
    """Found at discovery, without reading an image."""
    ignored: tuple[str, ...]
    """Files and folders that belong to no case, and why."""
    ignore_value: int | None = None
    """The value of voxels that take no part in training."""
    sources: tuple[Source, ...] = ()
    """The further data folders that cases lie in, besides `folder`."""

    @property
    def training_only(self) -> tuple[str, ...]:
        """The cases that train every fold and are never validated."""
        return tuple(case.name for case in self.cases if case.is_training_only)


def find_labelled_cases(
    data: Path,
    challenge: Challenge,
    labels: Path | None = None,
    ignore: int | None = None,
    option: str = "--challenge",
) -> LabelledData:
    """Find the cases of a data folder and their label maps.

    data: in the challenge's layout, or a raw data set of nnU-Net (imagesTr and dataset.json). labels: a
    folder of label maps; by default they lie beside the images, or in labelsTr. ignore: the value of voxels
    that take no part in training; by default that of dataset.json, if it declares one. option: of the command
    line, which names the challenge. Cases without exactly one label map become problems. Raises UsageError
    when a folder cannot be listed, when there is no case at all, and for an invalid dataset.json.
    """
    if ignore is not None and not 0 <= ignore < LABEL_VALUES:
        raise UsageError(f"ignore label {ignore}", expected=f"a value from 0 to {LABEL_VALUES - 1}")
    if labels is not None and labels.resolve() == data.resolve():
        labels = None
    is_raw = is_raw_layout(data)
    found = find_raw_cases(data, challenge, labels) if is_raw else _find_cases(data, challenge, labels)
    if not found.cases and not found.refused:
        expected = (
            f"images named CASE_0000{challenge.endings[0]}" if is_raw else f"names like {challenge.case}"
        )
        hint = challenge_hint(data, challenge, f"check the names of the files and {option}", option)
        raise UsageError(f"no case of {challenge.key}", file=data, expected=expected, hint=hint)
    cases, unpaired = pair_with_labels(found, challenge, orphans_are_errors=labels is None)
    value = ignore if ignore is not None else found.ignore_value
    return LabelledData(
        data,
        challenge,
        tuple(cases),
        (*found.problems, *unpaired, *_ignore_problems(data, challenge, value, found.ignore_value)),
        found.ignored,
        value,
    )


def _find_cases(data: Path, challenge: Challenge, labels: Path | None) -> FoundCases:
    discovery = discover_cases(data, challenge)
    maps = find_label_files(labels or data, challenge, any_depth=labels is not None)
    problems = [problem_of(refusal.error, refusal.case.name) for refusal in discovery.refused]
    ignored = discovery.ignored
    if labels is not None:
        ignored += maps.ignored
        for place, why in maps.unreadable.items():
            case = place.name if challenge.is_case(place.name) else ""
            hint = "give the user of the run read access"
            problems.append(problem(Code.UNREADABLE, case, why, file=place, hint=hint))
    else:
        # Discovery of scans accepts label maps with a suffix only
        used = {str(file.relative_to(data)) for files in maps.files.values() for file in files}
        ignored = tuple(entry for entry in ignored if entry.rpartition(" (")[0] not in used)
    refused = frozenset(refusal.case.name for refusal in discovery.refused)
    return FoundCases(
        cases=discovery.cases,
        refused=refused,
        labels=maps.files,
        label_folder=labels or data,
        label_ending=f"{(*challenge.label_suffixes, '')[0]}{challenge.endings[0]}",
        problems=tuple(problems),
        ignored=ignored,
    )


def _ignore_problems(
    data: Path, challenge: Challenge, value: int | None, declared: int | None
) -> Iterator[Problem]:
    if declared is not None and value != declared:
        found = f"the ignore label is {declared} in dataset.json, and {value} as given"
        yield problem(Code.IGNORE_LABEL, "", found, file=data, hint="state one value")
    names = [name for name, known in challenge.labels.items() if known == value]
    if names:
        found = f"the ignore label has the value {value}, which is {names[0]} of {challenge.key}"
        yield problem(Code.IGNORE_LABEL, "", found, file=data, expected="a value that no label has")
