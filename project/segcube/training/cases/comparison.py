"""Compare the cases of a data set with each other: copies, absent labels, unusual spacings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from segcube.core import Code, Vector, count_of
from segcube.spec.challenges import BACKGROUND
from segcube.training.cases.dataset import LabelledData
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import Problem, problem

MIN_PATIENTS = 2
"""With fewer, there is no validation case of another patient."""
USUAL_FOLDS = 5
SPACING_FACTOR = 4.0
"""Between a spacing and the median of all cases; larger ones result from wrong headers."""


@dataclass(frozen=True, eq=False)
class CaseSummary:
    """What is kept of a checked case."""

    case: LabelledCase
    is_valid: bool
    """Whether it has no error."""
    spacing: Vector | None
    """Native, in mm; None where an image cannot be read."""
    label_voxels: Mapping[str, int]
    """Voxels of each label of the challenge; empty where the label map cannot be read."""
    image_digests: Mapping[str, str]
    label_digest: str | None


def compare_cases(cases: Sequence[CaseSummary], data: LabelledData) -> Iterator[Problem]:
    """Report what is wrong with a data set as a whole; cases: sorted by name."""
    return chain(
        _count_problems(cases, data),
        _copied_images(cases),
        _copied_labels(cases),
        _absent_labels(cases, data),
        _spacing_notices(cases),
    )


def _count_problems(cases: Sequence[CaseSummary], data: LabelledData) -> Iterator[Problem]:
    patients = {case.case.patient for case in cases if case.is_valid and not case.case.is_training_only}
    if len(patients) >= USUAL_FOLDS:
        return
    found = f"has valid cases of {count_of(len(patients), 'patient')}"
    expected, hint = (
        f"{USUAL_FOLDS} or more for the usual {USUAL_FOLDS} folds",
        "add cases, correct those with errors, or choose fewer folds with --split",
    )
    few = problem(Code.FEW_CASES, "", found, file=data.folder, expected=expected, hint=hint)
    yield few if len(patients) < MIN_PATIENTS else few.as_notice()


def _copied_images(cases: Sequence[CaseSummary]) -> Iterator[Problem]:
    """Report cases that have a channel with the voxels of an earlier case."""
    first: dict[str, LabelledCase] = {}
    for case in cases:
        copied: dict[str, list[str]] = {}
        for channel, digest in case.image_digests.items():
            other = first.setdefault(digest, case.case)
            if other is not case.case:
                copied.setdefault(other.name, []).append(channel)
        for name, channels in copied.items():
            file = case.case.case.files[channels[0]]
            found = f"{', '.join(channels)} of {case.case.name} and the images of {name} have the same voxels"
            hint = "remove one of the cases, or export it again"
            yield problem(Code.SAME_IMAGE, case.case.name, found, file=file, hint=hint)


def _copied_labels(cases: Sequence[CaseSummary]) -> Iterator[Problem]:
    """Report label maps with the voxels of an earlier case that has other images."""
    seen: set[str] = set()
    distinct: list[CaseSummary] = []
    for case in cases:
        digests = set(case.image_digests.values())
        if not digests & seen:
            distinct.append(case)
        seen |= digests
    labelled = [case for case in distinct if case.label_digest is not None]
    if len({case.label_digest for case in labelled}) == 1 < len(labelled) == len(distinct):
        found, hint = f"all {len(labelled)} label maps have the same voxels", "export the label maps again"
        yield problem(Code.SAME_LABELS, "", found, file=labelled[0].case.label, hint=hint)
        return
    first: dict[str, CaseSummary] = {}
    for case in labelled:
        other = first.setdefault(str(case.label_digest), case)
        if other is not case:
            found, file = f"has the same voxels as {other.case.label}", case.case.label
            expected, hint = f"the label map of {case.case.name}", "export it again"
            yield problem(Code.SAME_LABELS, case.case.name, found, file=file, expected=expected, hint=hint)


def _absent_labels(cases: Sequence[CaseSummary], data: LabelledData) -> Iterator[Problem]:
    """Report labels that no case or only one patient has."""
    read = [case for case in cases if case.label_voxels]
    names = [name for name in data.challenge.labels if name != BACKGROUND]
    patients = {name: {c.case.patient for c in read if c.label_voxels[name]} for name in names}
    absent = [name for name in names if not patients[name]]
    if read and absent:
        listed = ", ".join(f"{data.challenge.labels[name]} {name}" for name in absent)
        found = f"none of {count_of(len(read), 'label map')} has label {listed}"
        hint = "check the values of the label maps; a label without examples is not learned"
        missing = problem(Code.LABEL_ABSENT, "", found, file=data.folder, hint=hint)
        yield missing if len(absent) == len(names) else missing.as_notice()
    everyone = {case.case.patient for case in read}
    for name in names:
        if len(patients[name]) == 1 < len(everyone):
            found = f"only the patient {min(patients[name])} has label {name}"
            hint = "it cannot be both trained and validated; add cases"
            yield problem(Code.LABEL_RARE, "", found, file=data.folder, hint=hint).as_notice()


def _spacing_notices(cases: Sequence[CaseSummary]) -> Iterator[Problem]:
    """Report spacings far from the median; axes are compared by size, since their order may vary."""
    spacings = [(case, np.sort(case.spacing)) for case in cases if case.spacing]
    if not spacings:
        return
    usual = np.median([spacing for _, spacing in spacings], axis=0)
    for case, spacing in spacings:
        ratios = spacing / usual
        if ratios.max() > SPACING_FACTOR or ratios.min() < 1 / SPACING_FACTOR:
            found = f"its spacing is {_by(spacing)} mm"
            expected, hint = f"about {_by(usual)} mm, as in most cases", "check the header"
            file = case.case.case.reference_file
            odd = problem(
                Code.SPACING_OUTLIER, case.case.name, found, file=file, expected=expected, hint=hint
            )
            yield odd.as_notice()


def _by(spacing: np.ndarray) -> str:
    return " x ".join(f"{length:g}" for length in spacing)
