"""Add the cases of further data folders to those of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from segcube.core import Case, Code, UsageError, count_of
from segcube.importers import same_name
from segcube.spec.challenges import Challenge, load_challenge
from segcube.training.cases.dataset import LabelledData, find_labelled_cases
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import Problem, problem
from segcube.training.cases.samples import origin_of_samples
from segcube.training.cases.sources import UNUSED_VALUE, Source, match_label_names


@dataclass(frozen=True)
class ExtraData:
    """A further data folder.

    challenge: a key or a YAML file; None for that of the run. labels: as in find_labelled_cases. sample: how
    many of its cases are drawn; None for all.
    """

    folder: Path
    challenge: str | None = None
    labels: Path | None = None
    sample: int | None = None


@dataclass(frozen=True)
class ExtraRules:
    """What holds for all further data folders.

    in_folds: whether their cases are validated too. seed: of the draw. label_names: what labels of theirs
    become, where their names are not the run's; `background` and `ignore` are possible.
    """

    in_folds: bool = False
    seed: int = 1
    label_names: Mapping[str, str] = field(default_factory=dict)


def add_extra_cases(data: LabelledData, extras: Sequence[ExtraData], rules: ExtraRules) -> LabelledData:
    """Return a data set with the cases of further folders.

    Labels and channels are matched by name. Cases of a patient who is in the data set or an earlier folder
    are left out with a notice. Raises UsageError as `find_labelled_cases` and `match_label_names` do, for
    channels that a folder lacks, for more cases to draw than there are, and for samples of a generative model
    that would be validated.
    """
    for extra in extras:
        data = _add(data, extra, rules)
    known = {name for source in data.sources for name in source.challenge.labels}
    if unused := sorted(set(rules.label_names) - known):
        expected = f"a label of the further data: {', '.join(sorted(known))}"
        raise UsageError(f"--extra-label {unused[0]}: no such label", expected=expected)
    return data


def _add(data: LabelledData, extra: ExtraData, rules: ExtraRules) -> LabelledData:
    challenge = data.challenge if extra.challenge is None else load_challenge(extra.challenge)
    same = extra.challenge is None and data.ignore_value != UNUSED_VALUE
    own = data.ignore_value if same else None
    found = find_labelled_cases(extra.folder, challenge, extra.labels, own, option="--extra-challenge")
    given = {name: label for name, label in rules.label_names.items() if name in challenge.labels}
    names = match_label_names(challenge, data.challenge, given)
    origin = origin_of_samples(extra.folder, found.cases)
    if origin is not None and rules.in_folds:
        raise UsageError(
            "holds samples of a generative model, which are never validated",
            file=extra.folder,
            expected="--train-only",
        )
    patients = () if origin is None else origin.patients
    source = Source(challenge, names, found.ignore_value, rules.in_folds, patients)
    ignore = data.ignore_value
    if source.ignores and ignore is None:
        ignore = UNUSED_VALUE
    _check_values(source, data, ignore, extra.folder)
    channels = _match_channels(challenge, data.challenge, extra.folder)
    twice = {case.name: other for case in found.cases if (other := _same_patient(case, data.cases))}
    drawn = _draw([case for case in found.cases if case.name not in twice], extra, rules.seed)
    added = [
        replace(case, case=_renamed(case.case, channels, data.challenge), source=source) for case in drawn
    ]
    return replace(
        data,
        cases=tuple(sorted([*data.cases, *added], key=lambda case: case.name)),
        problems=(*data.problems, *found.problems, *_repeated(twice, extra.folder)),
        ignored=(*data.ignored, *found.ignored),
        ignore_value=ignore,
        sources=(*data.sources, source),
    )


def _check_values(source: Source, data: LabelledData, ignore: int | None, folder: Path) -> None:
    """Raise UsageError for cases to validate whose label maps have other values."""
    changed = any(old != new for old, new in source.values(data.challenge, ignore).items())
    if source.in_folds and changed:
        raise UsageError(
            f"label values of {source.challenge.key} are not those of {data.challenge.key}",
            file=folder,
            expected="equal values, where the cases are validated",
            hint="use --train-only, or write the values of the challenge",
        )


def _match_channels(source: Challenge, challenge: Challenge, folder: Path) -> dict[str, str]:
    """The source's name of each channel of a challenge."""
    found = {name: same_name(name, source.channel_names) for name in challenge.channel_names}
    if missing := [name for name, matched in found.items() if matched is None]:
        raise UsageError(
            f"{source.key} has no channel {', '.join(missing)}",
            file=folder,
            expected=f"the channels {', '.join(challenge.channel_names)}",
        )
    return {name: matched for name, matched in found.items() if matched is not None}


def _renamed(case: Case, channels: Mapping[str, str], challenge: Challenge) -> Case:
    files = {name: case.files[own] for name, own in channels.items()}
    parts = {name: case.components[own] for name, own in channels.items() if own in case.components}
    return Case(case.name, files, challenge.reference, parts)


def _draw(cases: Sequence[LabelledCase], extra: ExtraData, seed: int) -> list[LabelledCase]:
    """Draw cases without replacement, from their order by name."""
    if extra.sample is None:
        return list(cases)
    if extra.sample > len(cases):
        raise UsageError(
            f"--sample {extra.sample} of {count_of(len(cases), 'case')} of other patients",
            file=extra.folder,
            expected=f"at most {len(cases)}, or all",
        )
    chosen = np.random.default_rng(seed).choice(len(cases), extra.sample, replace=False)
    return [cases[index] for index in sorted(chosen)]


def _same_patient(case: LabelledCase, known: Sequence[LabelledCase]) -> LabelledCase | None:
    """A known case of the same patient, or of the same name, which the cache needs to be unique."""
    name, patient = case.name.casefold(), case.patient
    return next((one for one in known if one.patient == patient or one.name.casefold() == name), None)


def _repeated(twice: Mapping[str, LabelledCase], folder: Path) -> Iterator[Problem]:
    """Report cases that are left out; twice: the known case of the patient of each."""
    if twice:
        name = min(twice)
        cases = f"{count_of(len(twice), 'case')} left out, whose patients are in other data as well"
        found = f"{cases}: {name} is of the patient of {twice[name].case.reference_file}"
        hint = "if these are other people, rename their cases; samples get other names by sample --first"
        yield problem(Code.PATIENT_TWICE, "", found, file=folder, hint=hint).as_notice()
