"""Further sources of training cases: other data folders, whose labels may have other names and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from segcube.core import UsageError
from segcube.importers import same_name
from segcube.spec.challenges import BACKGROUND, Challenge

IGNORED = "ignore"
"""What a label becomes whose voxels take no part in training."""
LABEL_VALUES = 2**16
"""Labels lie from 0 to below this."""
UNUSED_VALUE = LABEL_VALUES - 1
"""The value of ignored voxels where the data themselves have no ignore label."""


@dataclass(frozen=True)
class Source:
    """A further data folder.

    challenge: that its label maps belong to. names: what each of its labels becomes, a label of the run's
    challenge, `background` or `ignore`. ignore: the value of its own ignored voxels. in_folds: whether its
    cases are validated too; otherwise they only train. patients: whose cases its own were sampled from, by a
    generative model.
    """

    challenge: Challenge
    names: Mapping[str, str]
    ignore: int | None = None
    in_folds: bool = False
    patients: tuple[str, ...] = ()

    @property
    def ignores(self) -> bool:
        """Whether voxels of its label maps take no part in training."""
        return self.ignore is not None or IGNORED in self.names.values()

    def values(self, challenge: Challenge, ignore: int | None) -> dict[int, int]:
        """Return what each value of its label maps becomes in those of the run; ignore: the run's value."""
        becomes = dict(challenge.labels)
        found: dict[int, int] = {}
        if self.ignores:
            assert ignore is not None, "a run with ignored voxels has a value for them"
            becomes[IGNORED] = ignore
            if self.ignore is not None:
                found[self.ignore] = ignore
        return found | {value: becomes[self.names[name]] for name, value in self.challenge.labels.items()}


def replace_values(labels_xyz: np.ndarray, values: Mapping[int, int]) -> np.ndarray:
    """Return a label map with other values, as uint16; values: of all that occur."""
    table = np.zeros(LABEL_VALUES, dtype=np.uint16)
    table[list(values)] = list(values.values())
    return table[labels_xyz]


def match_label_names(
    source: Challenge, challenge: Challenge, given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what each label of a source becomes, by name; synonyms such as NCR and NETC match.

    given: names that replace those found, from the source's to the run's, `background` or `ignore`. Raises
    UsageError for labels that match none, and for given names that do not exist.
    """
    given = given or {}
    targets = {**{name: name for name in challenge.labels}, IGNORED: IGNORED}
    labels = [name for name in challenge.labels if name != BACKGROUND]
    if unknown := [name for name in given.values() if name not in targets]:
        expected = f"one of {', '.join(targets)}"
        raise UsageError(f"--extra-label: {challenge.key} has no label {unknown[0]}", expected=expected)
    found = {
        name: given.get(name) or (BACKGROUND if name == BACKGROUND else same_name(name, labels) or "")
        for name in source.labels
    }
    if unmatched := [name for name, label in found.items() if not label]:
        raise UsageError(
            f"{source.key} has labels that {challenge.key} does not have: {', '.join(unmatched)}",
            expected=f"names that match {', '.join(labels)}",
            hint=f"state what they become, such as --extra-label {unmatched[0]}={labels[0]}, "
            f"{unmatched[0]}=background or {unmatched[0]}=ignore",
        )
    return found
