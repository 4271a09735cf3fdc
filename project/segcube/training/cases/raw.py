"""Cases of nnU-Net's raw layout: imagesTr/CASE_0000.nii.gz, labelsTr/CASE.nii.gz and dataset.json; or PNG."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, Field, ValidationError

from segcube.core import Case, Code, UsageError, count_of, explain_validation_error, printable, read_json
from segcube.formats import MAX_DEPTH, file_exists, list_folder
from segcube.importers import match_channels, match_labels, match_regions
from segcube.importers.nnunet import Dataset
from segcube.spec.challenges import Challenge, nifti_stem, stem_of
from segcube.training.cases.pairing import FoundCases
from segcube.training.cases.problems import Problem, problem

IMAGES, LABELS, DATASET = "imagesTr", "labelsTr", "dataset.json"
NUMBERED = re.compile(r"(.+)_([0-9]{4})", re.DOTALL)
"""A case and the number of a channel."""
EXPECTED = "a dataset.json of nnU-Net v2"
_Images: TypeAlias = dict[str, dict[int, Path]]
"""The images of each case by the number of their channel."""
_Maps: TypeAlias = dict[str, tuple[Path, ...]]
"""The label maps of each case."""


class ListedFiles(BaseModel):
    """The files of one case, relative to the folder of dataset.json."""

    images: tuple[str, ...]
    label: str


class RawDataset(Dataset):
    """dataset.json of a raw data set."""

    case_count: Annotated[int | None, Field(alias="numTraining")] = None
    ending: Annotated[str, Field(alias="file_ending")] = ".nii.gz"
    listed: Annotated[dict[str, ListedFiles] | None, Field(alias="dataset")] = None
    """The files of each case, where they are not those of imagesTr and labelsTr."""


def is_raw_layout(folder: Path) -> bool:
    """Return whether a folder is a raw data set of nnU-Net."""
    with suppress(OSError):
        return (folder / IMAGES).is_dir() or (folder / DATASET).is_file()
    return False


def find_raw_cases(folder: Path, challenge: Challenge, labels: Path | None = None) -> FoundCases:
    """Find the cases of a raw data set; its channels become the challenge's.

    labels: a folder of label maps instead of labelsTr. Raises UsageError when dataset.json is missing or
    invalid or has another number of channels, and for folders that cannot be listed.
    """
    dataset, file = _read_dataset(folder), folder / DATASET
    channels, problems = _name_channels(dataset, challenge, file)
    problems += _label_value_problems(dataset, challenge, file)
    _check_format(dataset, challenge, file)
    images, maps, ignored = _files_of(folder, dataset, labels)
    if challenge.components:
        # The channels of nnU-Net's colour images are in one file, 0000
        images = {name: _one_for_all(numbered, len(channels)) for name, numbered in images.items()}
    if dataset.case_count is not None and dataset.case_count != len(images):
        found = f"states {count_of(dataset.case_count, 'training case')}; found {len(images)}"
        problems.append(
            problem(Code.CASE_COUNT, "", found, file=file, hint="check that the copy is complete").as_notice()
        )
    cases, refused = list[Case](), set[str]()
    for name, numbered in sorted(images.items()):
        wrong = list(_case_problems(name, numbered, channels, folder / IMAGES, dataset.ending))
        problems += wrong
        if any(one.code is Code.MISSING_MODALITY for one in wrong):
            refused.add(name)
        else:
            files = {channel: numbered[number] for number, channel in enumerate(channels)}
            cases.append(Case(name, files, challenge.reference, challenge.components))
    return FoundCases(
        cases=tuple(cases),
        refused=frozenset(refused),
        labels=maps,
        label_folder=labels or folder / LABELS,
        label_ending=dataset.ending,
        problems=tuple(problems),
        ignored=tuple(ignored),
        ignore_value=dataset.ignore,
    )


def _read_dataset(folder: Path) -> RawDataset:
    file = folder / DATASET
    content: Any = read_json(file, UsageError, EXPECTED)
    try:
        dataset = RawDataset.model_validate(content)
    except ValidationError as error:
        raise UsageError(explain_validation_error(error, RawDataset), file=file, expected=EXPECTED) from error
    numbers = sorted(map(int, dataset.channel_names or dataset.modality or {}))
    if not numbers or numbers != list(range(len(numbers))):
        found = f"channel_names has the numbers {numbers}"
        raise UsageError(found, file=file, expected="0, 1 and so on, as in the names of the images")
    return dataset


def _check_format(dataset: RawDataset, challenge: Challenge, file: Path) -> None:
    """Raise UsageError for images of another format than the challenge's."""
    if dataset.ending not in challenge.endings:
        expected = (
            f"{' or '.join(challenge.endings)}, as format: {challenge.format} of {challenge.key} has it"
        )
        hint = "convert the images, or name a challenge file with their format (nifti or png)"
        raise UsageError(f"file_ending {dataset.ending!r}", file=file, expected=expected, hint=hint)


def _one_for_all(numbered: dict[int, Path], channels: int) -> dict[int, Path]:
    """The images of a case by channel, where all channels are components of the first."""
    return {**dict.fromkeys(range(channels), numbered[0]), **numbered} if 0 in numbered else numbered


def _name_channels(
    dataset: RawDataset, challenge: Challenge, file: Path
) -> tuple[tuple[str, ...], list[Problem]]:
    """The challenge's name of each channel, by name, or else by order with a notice."""
    named, wanted = dataset.channels, challenge.channel_names
    if len(named) != len(wanted):
        found = f"has {count_of(len(named), 'channel')}: {', '.join(named)}"
        hint = "name a challenge file that has these channels"
        raise UsageError(found, file=file, expected=f"{len(wanted)}: {', '.join(wanted)}", hint=hint)
    try:
        return match_channels(named, challenge), []
    except UsageError:
        order = ", ".join(f"{old} as {new}" for old, new in zip(named, wanted, strict=True))
        found = f"its channel names are not those of {challenge.key}; using {order}, by their order"
        expected = f"names like {', '.join(wanted)}"
        notice = problem(Code.CHANNEL_ORDER, "", found, file=file, expected=expected, hint="check the order")
        return wanted, [notice.as_notice()]


def _label_value_problems(dataset: RawDataset, challenge: Challenge, file: Path) -> Iterator[Problem]:
    """Report labels and regions that have other values than the challenge's of the same name."""
    hint = f"write the values of {challenge.key} to the label maps, or name a challenge file that has these"
    try:
        if dataset.regions:
            names = match_regions(tuple(dataset.regions), challenge)
            found = [sorted(set(values)) for values in dataset.regions.values()]
            wanted = [sorted(challenge.region_values(name)) for name in names]
        else:
            named = match_labels({values[0]: name for name, values in dataset.labels.items()}, challenge)
            names, found = tuple(named.values()), [[value] for value in named]
            wanted = [[challenge.labels[name]] for name in names]
    except UsageError as error:
        unmatched = problem(
            Code.LABEL_NAMES, "", error.found, file=file, expected=error.expected, hint="check their values"
        )
        yield unmatched.as_notice()
        return
    wrong = [one for one in zip(names, found, wanted, strict=True) if one[1] != one[2]]
    if wrong:
        listed = ", ".join(f"{name} is {_values(values)}" for name, values, _ in wrong)
        expected = ", ".join(f"{name} {_values(values)}" for name, _, values in wrong)
        yield problem(
            Code.LABEL_NAMES, "", listed, file=file, expected=f"{expected}, as in {challenge.key}", hint=hint
        )


def _values(values: Sequence[int]) -> str:
    return "+".join(map(str, values))


def _files_of(folder: Path, dataset: RawDataset, labels: Path | None) -> tuple[_Images, _Maps, list[str]]:
    """Images and label maps of each case, listed in dataset.json or else in their folders; ignored files."""
    if dataset.listed is None:
        images, ignored = _images(folder / IMAGES, dataset.ending)
        maps, others = _label_maps(labels or folder / LABELS, dataset)
        return images, maps, ignored + others
    listed = dataset.listed
    images = {name: dict(enumerate(folder / image for image in listed[name].images)) for name in listed}
    if labels is not None:
        return images, *_label_maps(labels, dataset)
    return images, {name: (folder / listed[name].label,) for name in listed}, []


def _images(folder: Path, ending: str) -> tuple[_Images, list[str]]:
    """The images of each case by the number of the channel, and ignored files."""
    listing = list_folder(folder, 0)
    found: _Images = {}
    for file in listing.files:
        match = NUMBERED.fullmatch(file.name.removesuffix(ending)) if file.name.endswith(ending) else None
        if match is None:
            listing.ignore(file, f"not named CASE_0000{ending}")
        else:
            found.setdefault(match[1], {})[int(match[2])] = file
    return found, [f"{folder.name}/{ignored}" for ignored in listing.ignored]


def _label_maps(folder: Path, dataset: RawDataset) -> tuple[_Maps, list[str]]:
    """The label maps by case, and ignored files."""
    listing = list_folder(folder, MAX_DEPTH)
    found: _Maps = {}
    for file in listing.files:
        is_png = dataset.ending == ".png"
        stem = stem_of(file.name, (".png",)) if is_png else nifti_stem(file.name)
        if stem is None:
            listing.ignore(file, f"not a {'PNG' if is_png else 'NIfTI'} file")
        else:
            found[stem] = (*found.get(stem, ()), file)
    return found, [f"{folder.name}/{ignored}" for ignored in listing.ignored]


def _case_problems(
    name: str, numbered: Mapping[int, Path], channels: Sequence[str], folder: Path, ending: str
) -> Iterator[Problem]:
    shown = printable(name)
    for number, channel in enumerate(channels):
        if number not in numbered or not file_exists(numbered[number]):
            file = numbered.get(number, folder / f"{name}_{number:04d}{ending}")
            found, hint = f"no such file, channel {channel} of the case", "add it, or remove the case"
            yield problem(Code.MISSING_MODALITY, shown, found, file=file, hint=hint)
    for number in sorted(numbered.keys() - set(range(len(channels)))):
        expected = f"channels 0000 to {len(channels) - 1:04d}, as in {DATASET}"
        found, hint = f"is channel {number:04d}", "remove it, or list its channel"
        yield problem(Code.EXTRA_CHANNEL, shown, found, file=numbered[number], expected=expected, hint=hint)
