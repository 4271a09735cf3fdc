"""Check a folder of label maps against the cases that they were made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segcube.core import Case, CaseError, as_case_error
from segcube.formats import discover
from segcube.formats.nifti import inputs_digest
from segcube.release.check.findings import (
    CheckReport,
    Finding,
    FindingCode,
    count_of,
    error,
    from_fault,
    warning,
)
from segcube.release.check.input import find_challenge
from segcube.release.check.map_grid import Reference, grid_findings
from segcube.release.check.map_labels import Values, edition_hint, label_findings, read_values
from segcube.release.check.map_names import pair_maps
from segcube.release.check.read_map import Decoded, MapFile, file_findings, read_map
from segcube.spec.challenges import BACKGROUND, Challenge

THREADS = 2
ZERO_SHARE = 0.1
"""Images with fewer voxels of exactly 0 have no background that tells where the patient is not."""
OUTSIDE = 0.5
ENOUGH_MAPS = 3
"""With fewer, a label that none has may well be absent."""


@dataclass(frozen=True)
class Checked:
    """One map: what was found, and what other maps are compared with."""

    case: Case
    file: Path
    findings: tuple[Finding, ...]
    values: Values | None


def check_output(folder: Path, data: Path, challenge: str | None = None) -> CheckReport:
    """Check label maps: names, files, grids, types, labels and what they have in common.

    challenge: a key or a YAML file; None to take what the data folder's names say. Finds all that the
    official evaluators find, and what they pass in silence. Raises UsageError when a folder cannot be listed
    or the challenge stays open.
    """
    chosen = find_challenge(data, challenge)
    discovery = discover(data, chosen)
    cases = {case.name: case for case in (*discovery.cases, *(r.case for r in discovery.refused))}
    names = pair_maps(folder, sorted(cases), chosen)
    findings = list(names.findings)
    if not cases:
        findings.append(
            error(FindingCode.NO_CASE, "no case", file=data, expected=f"names like {chosen.case}")
        )
    with ThreadPoolExecutor(THREADS) as pool:
        checked = list(pool.map(lambda case: check_map(cases[case], names.maps[case], chosen), names.maps))
    for one in checked:
        findings += one.findings
    findings += _copies(checked)
    findings += _absent_labels(checked, chosen, folder)
    findings.sort(key=lambda found: (found.file != folder, str(found.file), found.level))
    size = sum(_size(one.file) for one in checked)
    told = f"{count_of(len(checked), 'map')} of {count_of(len(cases), 'case')}, {size / 1000:.0f} kB"
    fact = f"{told}, by the rules of {chosen.key}"
    return CheckReport("output", folder, tuple(findings), (fact,), chosen.key)


def check_map(case: Case, file: Path, challenge: Challenge) -> Checked:
    """Check one map of a case; whatever happens is a finding."""
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
    return Checked(case, file, tuple(findings), values)


def _against_case(found: MapFile, values: Values, case: Case) -> Iterator[Finding]:
    """What the case's reference channel says of a map, if that channel can be read."""
    reference = read_map(case.reference_file) if case.reference in case.files else None
    if reference is None or reference.decoded is None or reference.faults:
        why = "missing" if reference is None else str(reference.faults[-1].code)
        yield warning(
            FindingCode.UNCHECKED_GRID,
            f"cannot be compared with its case: its {case.reference} is {why}",
            file=found.file,
            expected="a case that can be read",
            hint="see `segcube check input`",
        )
        return
    yield from grid_findings(found, Reference(reference.file, reference.decoded.header))
    if values.digest is not None and found.decoded is not None:
        yield from _outside(found.file, found.decoded, reference.decoded, case.reference)


def _outside(file: Path, decoded: Decoded, reference: Decoded, channel: str) -> Iterator[Finding]:
    """Labels where the image is exactly 0: such a map was mirrored, or its axes were turned."""
    if decoded.stored_xyz.shape != reference.stored_xyz.shape:
        return
    slope, intercept = reference.header.scale or (1.0, 0.0)
    nothing = -intercept / slope
    on_xyz = reference.stored_xyz[decoded.stored_xyz != 0]
    outside = int(np.count_nonzero(on_xyz == nothing))
    if outside <= OUTSIDE * on_xyz.size:
        return
    if np.count_nonzero(reference.stored_xyz == nothing) >= ZERO_SHARE * reference.stored_xyz.size:
        yield warning(
            FindingCode.OUTSIDE_IMAGE,
            f"{outside / on_xyz.size:.0%} of its labelled voxels lie where {channel} is 0",
            file=file,
            expected="labels on the patient",
            hint="look whether the array was mirrored, or its axes turned, before it was written",
        )


def _copies(checked: Sequence[Checked]) -> Iterator[Finding]:
    """Maps with the very voxels of another case's, unless the cases are the same as well."""
    first: dict[str, Checked] = {}
    for one in checked:
        if one.values is None or one.values.digest is None:
            continue
        other = first.setdefault(one.values.digest, one)
        if other is not one and not _same_inputs(one.case, other.case):
            yield error(
                FindingCode.COPY,
                f"holds the very voxels of {other.file.name}",
                file=one.file,
                expected=f"a map of {one.case.name} of its own",
                hint="predict both cases again",
            )


def _same_inputs(one: Case, other: Case) -> bool:
    try:
        return inputs_digest(one) == inputs_digest(other)
    except CaseError:
        return False


def _absent_labels(checked: Sequence[Checked], challenge: Challenge, folder: Path) -> Iterator[Finding]:
    """Labels that no map has although several maps have others."""
    held = [one.values for one in checked if one.values is not None and one.values.labelled(challenge)]
    if len(held) < ENOUGH_MAPS:
        return
    found = {name for values in held for name in values.labelled(challenge)}
    absent = [name for name in challenge.labels if name not in found and name != BACKGROUND]
    if absent:
        told = ", ".join(f"{challenge.labels[name]} {name}" for name in absent)
        yield warning(
            FindingCode.ABSENT_LABEL,
            f"none of {len(held)} maps has label {told}",
            file=folder,
            expected="every label of the challenge in some map",
            hint=edition_hint(_all_values(held), challenge, exact=True)
            or "look at the write rule of the submission",
        )


def _all_values(held: Sequence[Values]) -> frozenset[float]:
    counts: list[Mapping[float, int]] = [values.counts for values in held]
    return frozenset(value for table in counts for value in table)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
