"""Check a folder of label maps against the cases that they were predicted from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.core import Case, CaseError, as_case_error, count_of
from segcube.formats import discover_cases
from segcube.formats.nifti import inputs_digest
from segcube.release.check.findings import (
    CheckReport,
    Finding,
    FindingCode,
    error,
    from_fault,
    warning,
)
from segcube.release.check.input import find_challenge
from segcube.release.check.map_grid import Reference, grid_findings
from segcube.release.check.map_labels import Values, label_findings, read_values
from segcube.release.check.map_names import pair_maps
from segcube.release.check.read_map import Decoded, MapFile, file_findings, read_map
from segcube.spec.challenges import BACKGROUND, Challenge, edition_hint

THREADS = 2
MIN_ZERO_FRACTION = 0.1
"""An image with fewer voxels of exactly 0 has no background of zeros outside the patient."""
MAX_OUTSIDE_FRACTION = 0.5
"""Of the labelled voxels, where the image is 0."""
MIN_MAPS = 3
"""With fewer maps, a label that none of them has may really be absent."""


@dataclass(frozen=True)
class CheckedMap:
    """One map with its findings, and the values that other maps are compared with."""

    case: Case
    file: Path
    findings: tuple[Finding, ...]
    values: Values | None


def check_output(folder: Path, data: Path, challenge: str | None = None) -> CheckReport:
    """Check names, files, grids, data types and labels of maps, and compare the maps with each other.

    challenge: a key or a YAML file; None to take the one that the names of the data folder fit. Finds what
    the official evaluators reject, and errors that they do not notice. Raises UsageError when a folder cannot
    be listed or the names fit no single challenge.
    """
    chosen = find_challenge(data, challenge)
    discovery = discover_cases(data, chosen)
    cases = {case.name: case for case in (*discovery.cases, *(r.case for r in discovery.refused))}
    maps, findings = pair_maps(folder, sorted(cases), chosen)
    if not cases:
        expected = f"names like {chosen.case}"
        findings.append(error(FindingCode.NO_CASE, "no case", file=data, expected=expected))
    with ThreadPoolExecutor(THREADS) as pool:
        checked = list(pool.map(lambda case: check_map(cases[case], maps[case], chosen), maps))
    for one in checked:
        findings += one.findings
    findings += _copy_findings(checked)
    findings += _absent_label_findings(checked, chosen, folder)
    findings.sort(key=lambda found: (found.file != folder, str(found.file), found.level))
    size = sum(_size(one.file) for one in checked)
    counts = f"{count_of(len(checked), 'map')} of {count_of(len(cases), 'case')}, {size / 1000:.0f} kB"
    fact = f"{counts}, by the rules of {chosen.key}"
    return CheckReport("output", folder, tuple(findings), (fact,), chosen.key)


def check_map(case: Case, file: Path, challenge: Challenge) -> CheckedMap:
    """Check one map of a case; any error becomes a finding."""
    findings = list(file_findings(file))
    values: Values | None = None
    try:
        found = read_map(file)
        findings += [from_fault(fault) for fault in found.faults]
        if found.decoded is not None:
            values = read_values(found.decoded)
            findings += label_findings(values, found.decoded.header, challenge, file)
            findings += _against_case(found, values, case)
    except Exception as fault:
        findings.append(from_fault(as_case_error(fault), file=file))
    return CheckedMap(case, file, tuple(findings), values)


def _against_case(found: MapFile, values: Values, case: Case) -> Iterator[Finding]:
    """Compare a map with the reference channel of its case, if that can be read."""
    reference = None
    if case.reference in case.files:
        reference = read_map(case.reference_file, case.components.get(case.reference))
    if reference is None or reference.decoded is None or reference.faults:
        why = "missing" if reference is None else str(reference.faults[-1].code)
        yield warning(
            FindingCode.UNCHECKED_GRID,
            f"cannot be compared with its case: its {case.reference} is {why}",
            file=found.file,
        )
        return
    yield from grid_findings(found, Reference(reference.file, reference.decoded.header))
    if values.digest is not None and found.decoded is not None:
        yield from _outside_findings(found.file, found.decoded, reference.decoded, case.reference)


def _outside_findings(file: Path, decoded: Decoded, reference: Decoded, channel: str) -> Iterator[Finding]:
    """Report a map whose labels lie where the image is 0, as if it was mirrored or its axes were permuted."""
    if decoded.stored_xyz.shape != reference.stored_xyz.shape:
        return
    slope, intercept = reference.header.scale or (1.0, 0.0)
    stored_zero = -intercept / slope
    labelled = reference.stored_xyz[decoded.stored_xyz != 0]
    outside = int(np.count_nonzero(labelled == stored_zero))
    if outside <= MAX_OUTSIDE_FRACTION * labelled.size:
        return
    if np.count_nonzero(reference.stored_xyz == stored_zero) >= MIN_ZERO_FRACTION * reference.stored_xyz.size:
        yield warning(
            FindingCode.OUTSIDE_IMAGE,
            f"{outside / labelled.size:.0%} of its labelled voxels lie where {channel} is 0",
            file=file,
        )


def _copy_findings(checked: Sequence[CheckedMap]) -> Iterator[Finding]:
    """Report maps with the same voxels as the map of another case, unless the cases are identical too."""
    first: dict[str, CheckedMap] = {}
    for one in checked:
        if one.values is None or one.values.digest is None:
            continue
        other = first.setdefault(one.values.digest, one)
        if other is not one and not _same_inputs(one.case, other.case):
            yield error(
                FindingCode.COPY,
                f"has the same voxels as {other.file.name}",
                file=one.file,
                expected=f"the map of {one.case.name}",
            )


def _same_inputs(one: Case, other: Case) -> bool:
    try:
        return inputs_digest(one) == inputs_digest(other)
    except CaseError:
        return False


def _absent_label_findings(
    checked: Sequence[CheckedMap], challenge: Challenge, folder: Path
) -> Iterator[Finding]:
    """Report labels that no map has, if several maps have other labels."""
    held = [one.values for one in checked if one.values is not None and one.values.labelled(challenge)]
    if len(held) < MIN_MAPS:
        return
    found = {name for values in held for name in values.labelled(challenge)}
    absent = [name for name in challenge.labels if name not in found and name != BACKGROUND]
    if absent:
        listed = ", ".join(f"{challenge.labels[name]} {name}" for name in absent)
        yield warning(
            FindingCode.ABSENT_LABEL,
            f"none of {len(held)} maps has label {listed}",
            file=folder,
            hint=edition_hint(frozenset().union(*(values.counts for values in held)), challenge, exact=True)
            or "check the `write` rule of the submission",
        )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
