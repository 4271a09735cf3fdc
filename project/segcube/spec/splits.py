"""Cross-validation splits by patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segcube.core import UsageError, count_of
from segcube.spec.patients import patient_of


@dataclass(frozen=True)
class Fold:
    """A fold: indices of training and validation cases."""

    training: tuple[int, ...]
    validation: tuple[int, ...]


def split_by_patient(
    cases: Sequence[str], folds: int, seed: int, patients_of_cases: Sequence[str] | None = None
) -> list[Fold]:
    """Split cases into folds; all cases of a patient are in one fold's validation set.

    Patients are distributed at random, in nearly equal numbers. With fewer patients than folds, each patient
    is a fold. patients_of_cases: by default `patient_of` each case. Raises UsageError for fewer than two
    patients.
    """
    owners = [patient_of(case) for case in cases] if patients_of_cases is None else patients_of_cases
    patients = sorted(set(owners))
    if len(patients) < 2:
        raise UsageError(count_of(len(patients), "patient"), expected="two or more for cross-validation")
    count = min(folds, len(patients))
    shuffled = np.random.default_rng(seed).permutation(len(patients))
    fold_of = {patients[index]: position % count for position, index in enumerate(shuffled)}
    return [
        Fold(
            tuple(i for i, owner in enumerate(owners) if fold_of[owner] != fold),
            tuple(i for i, owner in enumerate(owners) if fold_of[owner] == fold),
        )
        for fold in range(count)
    ]
