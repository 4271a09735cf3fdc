"""The options of further data folders: one value for every folder, or one for each in turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from segcube.core import UsageError, count_of
from segcube.training.cases import ExtraData, ExtraRules

T = TypeVar("T")
ALL = "all"


def extra_data(
    folders: Sequence[Path] | None,
    challenges: Sequence[str] | None,
    labels: Sequence[Path] | None,
    samples: Sequence[str] | None,
) -> tuple[ExtraData, ...]:
    """Return the further data folders of a command line.

    Raises UsageError for options that do not fit them.
    """
    folders = folders or []
    challenge_of = _for_each("--extra-challenge", challenges, folders, shared=True)
    labels_of = _for_each("--extra-ref", labels, folders, shared=False)
    sample_of = _for_each("--sample", samples, folders, shared=True)
    return tuple(
        ExtraData(folder, challenge, label_folder, None if sample is None else _parse_sample(sample))
        for folder, challenge, label_folder, sample in zip(
            folders, challenge_of, labels_of, sample_of, strict=True
        )
    )


def extra_rules(labels: Sequence[str] | None, seed: int, *, in_folds: bool) -> ExtraRules:
    """Return what holds for all further folders. Raises UsageError for a label without `=`."""
    names: dict[str, str] = {}
    for text in labels or ():
        name, separator, label = text.partition("=")
        if not (separator and name and label):
            raise UsageError(f"--extra-label {text}", expected="NAME=NAME, such as RC=background")
        names[name] = label
    return ExtraRules(in_folds, seed, names)


def _for_each(
    option: str, values: Sequence[T] | None, folders: Sequence[Path], *, shared: bool
) -> list[T | None]:
    """The value of each folder; shared: whether a single value is that of every folder."""
    if not values:
        return [None] * len(folders)
    if shared and len(values) == 1 and folders:
        return [*values] * len(folders)
    if len(values) != len(folders):
        found = f"{option} {count_of(len(values), 'time')} for {count_of(len(folders), '--extra folder')}"
        expected = "once for each of them" + (", or once" if shared else "")
        raise UsageError(found, expected=expected)
    return [*values]


def _parse_sample(text: str) -> int | None:
    if text == ALL:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"--sample {text}", expected="a number from 1, or all")
    return int(text)
