"""Diagnose a run: the logs of its folds, and a sample of its cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from segcube.core import CaseError, Volume, count_of, prefetch
from segcube.formats.nifti import read_volume
from segcube.spec.challenges import BACKGROUND, Challenge
from segcube.training.cases import LabelledCase, read_labels_of
from segcube.training.diagnosis.alignment import Move, better_move, explained
from segcube.training.diagnosis.symptoms import Symptom, log_symptoms
from segcube.training.log import StepLog
from segcube.training.plan import read_plan
from segcube.training.run import RunFolder, read_dataset, run_challenge
from segcube.training.run.cases import labelled_cases

MOST_CASES = 12
"""Cases that are read, at equal distances in the list."""
AGREEING = 0.75
"""Of these cases, for a fault of all labels."""
FEWEST_LEVELS = 16
"""Different intensities where an image is not 0; an image with fewer was rounded."""


def diagnose_run(run: RunFolder) -> list[Symptom]:
    """Find what keeps the folds of a run from training.

    Reads the logs of all folds that were begun, and some of the cases. Raises UsageError for a folder that is
    no run.
    """
    dataset, plan = read_dataset(run), read_plan(run.plan)
    challenge = run_challenge(run, plan)
    written = {paint.label for paint in challenge.write}
    found: list[Symptom] = []
    for log in sorted(run.root.glob("fold_*/log.jsonl")):
        symptoms = log_symptoms(list(StepLog(log).records()), log.parent.name, written)
        found += [_in_run(symptom, run, log.parent.name.removeprefix("fold_")) for symptom in symptoms]
    cases = labelled_cases(run, dataset)
    count = min(MOST_CASES, len(cases))
    chosen = [cases[index * len(cases) // count] for index in range(count)]
    return found + list(data_symptoms(chosen, challenge, dataset.ignore_value))


def _in_run(symptom: Symptom, run: RunFolder, fold: str) -> Symptom:
    """A symptom whose commands and paths are those of a fold."""
    then = symptom.then.replace("RUN", str(run.root)).replace("--fold N", f"--fold {fold}")
    return replace(symptom, then=then.replace("fold_N", f"fold_{fold}"))


def data_symptoms(
    cases: Sequence[LabelledCase], challenge: Challenge, ignore: int | None = None
) -> Iterator[Symptom]:
    """Find labels that do not fit their images, and images that were rounded."""

    unread: list[str] = []

    def read(case: LabelledCase) -> tuple[LabelledCase, Volume, np.ndarray] | None:
        try:
            volume = read_volume(case.case, challenge.channel_names)
            return case, volume, read_labels_of(case, volume, challenge, ignore)
        except CaseError as error:
            unread.append(f"{case.name}: {error}")
            return None

    values, rounded = list[dict[Move, float]](), list[str]()
    for one in prefetch(read, cases):
        if one is None:
            continue
        case, volume, labels_xyz = one
        indices_xyz = _indices(labels_xyz, challenge)
        if found := explained(volume.voxels, indices_xyz):
            values.append(found)
        rounded += _rounded(case, volume)
    if unread:
        found = f"{len(unread)} of {count_of(len(cases), 'case')}, such as {unread[0]}"
        yield Symptom("cases that cannot be read", "data", found, "segcube plan checks every file")
    if better := better_move(values, AGREEING):
        move, count = better
        found = f"in {count} of {count_of(len(values), 'case')} they fit the image better {move}"
        then = "compare both in first-batch.png; export the label maps with the header of their image"
        yield Symptom("labels moved against the images", "data", found, then)
    if rounded:
        found = f"{count_of(len(rounded), 'image')}, such as {rounded[0]}"
        then = "export the images as float, or scale them before they are stored as integers"
        yield Symptom("intensities rounded", "data", found, then)


def _indices(labels_xyz: np.ndarray, challenge: Challenge) -> np.ndarray:
    """Numbers of the labels; the background and ignored voxels are 0."""
    indices_xyz = np.zeros(labels_xyz.shape, np.uint16)
    names = [name for name in challenge.labels if name != BACKGROUND]
    for number, name in enumerate(names, start=1):
        indices_xyz[labels_xyz == challenge.labels[name]] = number
    return indices_xyz


def _rounded(case: LabelledCase, volume: Volume) -> Iterator[str]:
    for name, image_xyz in zip(volume.channels, volume.voxels, strict=True):
        levels = len(np.unique(image_xyz[image_xyz != 0]))
        if 0 < levels < FEWEST_LEVELS:
            yield f"{case.case.files[name]} has {count_of(levels, 'intensity level')} where it is not 0"
