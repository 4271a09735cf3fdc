"""Compare a folder of labelled scans with phantoms of the challenge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from segcube import __version__
from segcube.core import Case, CaseError, Code, UsageError
from segcube.evaluation import challenge_hint, encode_json, find_maps
from segcube.formats import discover_cases
from segcube.formats.nifti import read_labels, read_volume, same_grid
from segcube.phantoms.cases import Phantom, make_phantom
from segcube.phantoms.measure import Quantity, Values, measure_case
from segcube.phantoms.write import OnCase, ignore_case
from segcube.spec.challenges import Challenge

LOW, HIGH = 5, 95
"""Percentiles of the phantoms between which the median of the scans should lie."""


@dataclass(frozen=True)
class Summary:
    """A quantity over the cases that have it."""

    cases: int
    min: float
    p5: float
    """5th percentile."""
    median: float
    p95: float
    """95th percentile."""
    max: float
    mean: float


@dataclass(frozen=True)
class Row:
    """A quantity in the scans and in the phantoms."""

    quantity: Quantity
    scans: Summary
    phantoms: Summary | None
    """None if no phantom has it."""

    @property
    def is_within(self) -> bool:
        """Whether the scans' median is between the phantoms' 5th and 95th percentile; then ranges overlap."""
        phantoms = self.phantoms
        return phantoms is not None and phantoms.p5 <= self.scans.median <= phantoms.p95

    @property
    def overlaps(self) -> bool:
        """Whether the ranges from minimum to maximum have a value in common."""
        phantoms, scans = self.phantoms, self.scans
        return phantoms is not None and phantoms.min <= scans.max and scans.min <= phantoms.max


@dataclass(frozen=True)
class Comparison:
    """All quantities that the scans have, in order, and the scans that could not be measured."""

    challenge: str
    seed: int
    scans: Mapping[str, Values]
    phantoms: Mapping[str, Values]
    problems: Mapping[str, str]
    """By case, why it was not measured."""
    kind: str = "phantoms"
    """What the phantoms are, where others than these are compared."""

    @property
    def rows(self) -> list[Row]:
        """A row for each quantity of the scans."""
        found = dict.fromkeys(quantity for values in self.scans.values() for quantity in values)
        groups = list(dict.fromkeys(quantity.group for quantity in found))
        ordered = sorted(found, key=lambda quantity: groups.index(quantity.group))
        rows: list[Row] = []
        for quantity in ordered:
            scans = summarize(quantity, self.scans)
            if scans is not None:
                rows.append(Row(quantity, scans, summarize(quantity, self.phantoms)))
        return rows

    def as_json(self) -> bytes:
        """The rows and the values of each case, as indented JSON, UTF-8."""
        return encode_json(self.as_content())

    def as_content(self) -> dict[str, object]:
        """The rows and the values of each case, for JSON."""
        rows = [
            {
                **row.quantity._asdict(),
                "scans": asdict(row.scans),
                self.kind: asdict(row.phantoms) if row.phantoms else None,
                "within": row.is_within,
                "overlap": row.overlaps,
            }
            for row in self.rows
        ]
        cases = {
            kind: {case: [[*quantity, value] for quantity, value in values.items()] for case, values in found}
            for kind, found in (("scans", self.scans.items()), (self.kind, self.phantoms.items()))
        }
        return {
            "comparison": self.kind,
            "version": __version__,
            "challenge": self.challenge,
            "seed": self.seed,
            "rows": rows,
            "cases": cases,
            "problems": self.problems,
        }


def summarize(quantity: Quantity, cases: Mapping[str, Values]) -> Summary | None:
    """Summarize a quantity over cases; None if no case has it."""
    values = np.array([found[quantity] for found in cases.values() if quantity in found])
    if not values.size:
        return None
    least, p5, median, p95, most = map(float, np.percentile(values, (0, LOW, 50, HIGH, 100)))
    return Summary(len(values), least, p5, median, p95, most, float(values.mean()))


def compare_folder(
    data: Path, ref: Path, challenge: Challenge, count: int, seed: int, on_case: OnCase = ignore_case
) -> Comparison:
    """Measure the labelled scans of a folder and `count` phantoms of the challenge.

    ref: folder of the labels, named like cases, outputs or expert labels. Labels without a voxel in the
    folder count as not annotated: they are background in the phantoms as well. A bad case is left out, with
    its problem. Raises UsageError if no case has labels, and as `make_phantom`.
    """
    files = find_maps(ref, challenge)
    found = discover_cases(data, challenge)
    problems = {refusal.case.name: str(refusal.error) for refusal in found.refused}
    cases = [case for case in found.cases if case.name in files]
    if not cases:
        hint = challenge_hint(data, challenge, next(iter(problems.values()), ""))
        raise UsageError(
            "no case with labels", file=data, expected=f"labels of its cases in {ref}", hint=hint
        )
    problems |= {case.name: f"no labels in {ref}" for case in found.cases if case.name not in files}
    known = annotated(challenge, [files[case.name] for case in cases])
    total = len(cases) + count
    scans: dict[str, Values] = {}
    for case in cases:
        try:
            scans[case.name] = _measure_scan(case, files[case.name], known)
        except CaseError as error:
            problems[case.name] = str(error)
        on_case(case.name, total)
    phantoms: dict[str, Values] = {}
    for index in range(count):
        phantom = make_phantom(challenge, seed, index)
        phantoms[phantom.case] = _measure_phantom(phantom, known)
        on_case(phantom.case, total)
    return Comparison(challenge.key, seed, scans, phantoms, problems)


def _measure_scan(case: Case, file: Path, challenge: Challenge) -> Values:
    """Measure a case by its label map. Raises CaseError, also for different grids and unknown labels."""
    volume = read_volume(case, challenge.channel_names)
    labels_xyz, grid, _ = read_labels(file)
    if grid.shape != volume.grid.shape or not same_grid(grid, volume.grid):
        raise CaseError(
            Code.AFFINE_MISMATCH, "labels on another grid", file=file, expected="the grid of the case"
        )
    if unknown := set(np.unique(labels_xyz).tolist()) - set(challenge.labels.values()):
        raise CaseError(
            Code.BAD_DTYPE,
            f"has the unknown labels {', '.join(map(str, sorted(unknown)))}",
            file=file,
            expected=f"labels of {challenge.key}",
            hint="name the challenge whose labels these are with --challenge",
        )
    return measure_case(np.stack(volume.voxels), labels_xyz, grid, challenge)


def _measure_phantom(phantom: Phantom, challenge: Challenge) -> Values:
    """Measure a phantom by the labels of `challenge` alone."""
    is_known = np.isin(phantom.labels_xyz, list(challenge.labels.values()))
    labels_xyz = np.where(is_known, phantom.labels_xyz, 0)
    return measure_case(phantom.image_cxyz, labels_xyz, phantom.grid, challenge)


def annotated(challenge: Challenge, files: Sequence[Path]) -> Challenge:
    """Return the challenge with the labels that occur in some label maps, and the regions that have these.

    Maps that cannot be read are left out.
    """
    present = set[int]().union(*_values(files))
    labels = {label: value for label, value in challenge.labels.items() if value == 0 or value in present}
    regions = {
        region: tuple(label for label in parts if label in labels)
        for region, parts in challenge.regions.items()
        if any(label in labels for label in parts)
    }
    return challenge.model_copy(update={"labels": labels, "regions": regions})


def _values(files: Sequence[Path]) -> Iterator[set[int]]:
    for file in files:
        try:
            yield set(np.unique(read_labels(file)[0]).tolist())
        except CaseError:
            continue
