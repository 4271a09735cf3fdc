"""Split cases so that what is judged was never fitted to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcube.core import UsageError

TIMEPOINT = re.compile(r"(?P<patient>.*\d{4,})-\d{1,3}")
"""A patient's number and which of his scans it is, as the BraTS names have them."""


@dataclass(frozen=True)
class Fold:
    """Indices of cases: those fitted to, and those held out."""

    fitted: tuple[int, ...]
    held_out: tuple[int, ...]


def patient_of(case: str) -> str:
    """Whose case it is: the name without the number of the scan, where it ends in one."""
    match = TIMEPOINT.fullmatch(case)
    return match["patient"] if match else case


def split(cases: Sequence[str], folds: int, seed: int) -> list[Fold]:
    """Deal patients at random into folds of nearly equal size; all cases of one stay together.

    Fewer patients than folds give a fold a patient. Raises UsageError for less than two patients.
    """
    patients = sorted({patient_of(case) for case in cases})
    if len(patients) < 2:
        raise UsageError(f"{len(patients)} patient(s)", expected="two or more, so that one can be held out")
    count = min(folds, len(patients))
    shuffled = np.random.default_rng(seed).permutation(len(patients))
    fold_of = {patients[index]: place % count for place, index in enumerate(shuffled)}
    return [
        Fold(
            tuple(i for i, case in enumerate(cases) if fold_of[patient_of(case)] != fold),
            tuple(i for i, case in enumerate(cases) if fold_of[patient_of(case)] == fold),
        )
        for fold in range(count)
    ]
