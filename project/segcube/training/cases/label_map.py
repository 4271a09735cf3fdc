"""Check one label map: its file, its grid, and its values against the labels of a challenge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from segcube.core import Case, CaseError, Code, Grid, count_of
from segcube.formats.nifti import Header, grid_difference, read_header_of, read_labels, read_volume
from segcube.spec.challenges import BACKGROUND, Challenge, edition_hint
from segcube.training.cases.pairing import LabelledCase
from segcube.training.cases.problems import Problem, problem, problem_of
from segcube.training.cases.sources import replace_values

MAX_LABEL = 2**16 - 1
MANY_VALUES = 20
"""More unknown values than this are those of an image."""
LISTED = 6
"""Unknown values that a message lists."""
MOST = 0.5
"""Of all voxels; a label map with more labelled ones is unusual."""
DIFFERENCES: Mapping[str, Code] = {
    "shape": Code.LABEL_SHAPE,
    "orientation": Code.LABEL_FLIPPED,
    "affine": Code.LABEL_GRID,
}


@dataclass(frozen=True)
class LabelValues:
    """The values that a label map may have."""

    challenge: Challenge
    ignore: int | None = None
    """The value of voxels that take no part in training."""

    @property
    def known(self) -> frozenset[int]:
        """All valid values."""
        return frozenset([*self.challenge.labels.values(), *([] if self.ignore is None else [self.ignore])])

    def described(self) -> str:
        """Return the valid values with their names."""
        names = [f"{value} {name}" for name, value in self.challenge.labels.items()]
        names += [] if self.ignore is None else [f"{self.ignore} ignore"]
        return f"{', '.join(names)} of {self.challenge.key}"


@dataclass(frozen=True, eq=False)
class CheckedLabels:
    """A label map and its problems."""

    problems: tuple[Problem, ...]
    labels_xyz: np.ndarray | None = None
    """Unsigned integers; None for a file that holds no labels."""
    counts: Mapping[int, int] = field(default_factory=dict)
    """Voxels of each value that occurs."""


def check_labels(case: LabelledCase, grid: Grid | None, values: LabelValues) -> CheckedLabels:
    """Read the label map of a case and report all its problems.

    grid: of the case; None where it is unknown. A label map of a further source, whose values are its own,
    gets those of the run. Raises MemoryError only.
    """
    file, name, source = case.label, case.name, case.source
    own = values if source is None else LabelValues(source.challenge, source.ignore)
    try:
        header = read_header_of(file)
    except CaseError as fault:
        return CheckedLabels(
            (_axes_problem(fault, case) if fault.code is Code.NDIM else problem_of(fault, name),)
        )
    problems = list(_grid_problems(case, header.grid, grid))
    try:
        labels_xyz, _, _ = read_labels(file)
    except CaseError as fault:
        is_valued = fault.code in (Code.BAD_DTYPE, Code.NONFINITE)
        problems += _no_labels(case, header) if is_valued else [problem_of(fault, name)]
        return CheckedLabels(tuple(problems))
    counts = count_values(labels_xyz)
    problems += _storage_notices(case, header)
    problems += _value_problems(case, counts, own)
    if source is not None and counts.keys() <= own.known:
        replaced = source.values(values.challenge, values.ignore)
        labels_xyz = replace_values(labels_xyz, replaced)
        counts = count_values(labels_xyz)
    return CheckedLabels(tuple(problems), labels_xyz, counts)


def count_values(labels_xyz: np.ndarray) -> dict[int, int]:
    """Count the voxels of each value."""
    # Most voxels are 0, so counting the others alone is much faster
    others = labels_xyz[labels_xyz != 0]
    found, numbers = np.unique(others, return_counts=True)
    counts = {0: labels_xyz.size - others.size} if others.size < labels_xyz.size else {}
    return counts | {int(value): int(count) for value, count in zip(found, numbers, strict=True)}


def _axes_problem(fault: CaseError, case: LabelledCase) -> Problem:
    hint = "write one volume of label values; of one-hot channels or probabilities, the label of the largest"
    return problem(
        Code.LABEL_AXES, case.name, fault.found, file=case.label, expected=fault.expected, hint=hint
    )


def _grid_problems(case: LabelledCase, grid: Grid, expected: Grid | None) -> Iterator[Problem]:
    difference = grid_difference(grid, expected, case.case.reference_file.name) if expected else None
    if difference is not None:
        yield problem(
            DIFFERENCES[difference.kind],
            case.name,
            difference.found,
            file=case.label,
            expected=difference.expected,
            hint=difference.hint,
        )


def _storage_notices(case: LabelledCase, header: Header) -> Iterator[Problem]:
    if header.scale is not None:
        slope, intercept = header.scale
        found = f"its values are scaled by slope {slope:g} and intercept {intercept:g}"
        hint = "not every reader applies them"
        yield problem(
            Code.LABEL_SCALED, case.name, found, file=case.label, expected="slope 1", hint=hint
        ).as_notice()
    if header.dtype.kind == "f":
        found = f"labels are stored as {header.dtype.name}"
        yield problem(Code.LABEL_TYPE, case.name, found, file=case.label, expected="integers").as_notice()


def _no_labels(case: LabelledCase, header: Header) -> list[Problem]:
    """Report every kind of value that keeps a file from being a label map; reads it again, as an image."""
    as_image = Case(case.name, {"label": case.label}, "label")
    try:
        volume = read_volume(as_image, ["label"])
    except CaseError as fault:
        code = Code.LABEL_NONFINITE if fault.code is Code.NONFINITE else fault.code
        return [problem(code, case.name, fault.found, file=case.label, hint="write whole numbers")]
    values_xyz, problems = volume.voxels[0], list[Problem]()

    def report(code: Code, found: str, expected: str, hint: str) -> None:
        problems.append(problem(code, case.name, found, file=case.label, expected=expected, hint=hint))

    for notice in volume.notices:
        if notice.code is Code.NONFINITE:
            found = notice.message.removeprefix("label: ").removesuffix("; using 0")
            report(Code.LABEL_NONFINITE, found, "whole numbers", "write 0 or a label there")
    fractions = int(np.count_nonzero(values_xyz != np.trunc(values_xyz)))
    if fractions:
        found = f"has fractions in {fractions} of {count_of(values_xyz.size, 'voxel')}"
        report(Code.LABEL_FRACTIONS, found, "whole numbers", _fraction_hint(values_xyz, header))
    negative = int(np.count_nonzero(values_xyz < 0))
    if negative:
        found = f"has {count_of(negative, 'voxel')} below 0, down to {values_xyz.min():g}"
        report(Code.LABEL_NEGATIVE, found, f"0 to {MAX_LABEL}", "write the values of the challenge")
    if values_xyz.max() > MAX_LABEL:
        found = f"has values up to {values_xyz.max():.9g}"
        report(Code.LABEL_VALUE, found, f"0 to {MAX_LABEL}", "write the values of the challenge")
    return problems


def _fraction_hint(values_xyz: np.ndarray, header: Header) -> str:
    if header.scale is not None:
        return f"the header scales stored values by {header.scale[0]:g}; write with slope 1 and intercept 0"
    if values_xyz.min() >= 0 and values_xyz.max() <= 1:
        return "these seem to be probabilities; write the label values instead"
    return "this seems to be an image, or labels that were interpolated; resample labels by nearest neighbour"


def _value_problems(case: LabelledCase, counts: Mapping[int, int], values: LabelValues) -> Iterator[Problem]:
    file, name, challenge = case.label, case.name, values.challenge
    unknown = sorted(counts.keys() - values.known)
    total, ignored = sum(counts.values()), counts.get(-1 if values.ignore is None else values.ignore, 0)
    labelled = total - ignored - counts.get(challenge.labels[BACKGROUND], 0)
    if len(unknown) > MANY_VALUES:
        found = f"has {len(unknown)} values that are no labels, from {unknown[0]} to {unknown[-1]}"
        hint = "this seems to be an image; put the label map there"
        yield problem(Code.IMAGE_AS_LABEL, name, found, file=file, expected=values.described(), hint=hint)
    elif unknown:
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        listed = ", ".join(map(str, unknown[:LISTED])) + more
        voxels = count_of(sum(counts[value] for value in unknown), "voxel")
        hint = edition_hint(frozenset(map(float, counts)), challenge)
        yield problem(
            Code.LABEL_VALUE,
            name,
            f"has the {'value' if len(unknown) == 1 else 'values'} {listed} in {voxels}",
            file=file,
            expected=values.described(),
            hint=hint or "write the values of the challenge, or declare an ignore label",
        )
    elif ignored == total:
        hint = "remove the case, or correct the value of the ignore label"
        yield problem(Code.LABEL_IGNORED, name, "every voxel is ignored", file=file, hint=hint)
    elif labelled == 0:
        found, hint = "is all background", "remove the case if its labels are missing"
        yield problem(Code.LABEL_EMPTY, name, found, file=file, hint=hint).as_notice()
    if labelled > MOST * total and len(unknown) <= MANY_VALUES:
        found, hint = f"{labelled / total:.0%} of its voxels are labelled", "check for a swapped background"
        yield problem(Code.LABEL_MOST, name, found, file=file, hint=hint).as_notice()
