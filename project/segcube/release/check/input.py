"""Check a folder of cases: what discovery and reading would say, without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from segcube.core import Case, CaseError, Shape, UsageError, as_case_error
from segcube.formats import Discovery, discover
from segcube.formats.nifti import read_grid, read_volume
from segcube.release.check.findings import (
    CheckReport,
    Finding,
    FindingCode,
    count_of,
    error,
    from_fault,
    from_notices,
    warning,
)
from segcube.spec.challenges import Challenge, load_challenge, match_challenge, nifti_stem


def find_challenge(data: Path, named: str | None) -> Challenge:
    """The challenge that was named, by key or YAML file, else the one that the files' names fit best.

    Raises UsageError for an unknown key, for a folder that is none, and when the names leave it open: it
    lists the keys.
    """
    if named is not None:
        return load_challenge(named)
    if not data.is_dir():
        raise UsageError("cannot be listed: no such folder", file=data, expected="a folder of cases")
    files = list(_files(data))
    return match_challenge((file.name for file in files), _shapes(files))


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            if nifti_stem(name) is not None:
                yield Path(place, name)


def _shapes(files: list[Path]) -> Iterator[Shape]:
    for file in files:
        try:
            yield read_grid(file)[0].shape
        except CaseError:
            continue


THREADS = 2
"""Each holds one case in memory."""


def check_input(folder: Path, challenge: str | None = None) -> CheckReport:
    """Check cases: names, missing and doubled channels, every file read whole, grids, values, geometry.

    challenge: a key or a YAML file; None to take what the names say. Raises UsageError when the folder cannot
    be listed or the challenge stays open.
    """
    chosen = find_challenge(folder, challenge)
    discovery = discover(folder, chosen)
    findings = list(_folder_findings(folder, discovery, chosen))
    cases = [*discovery.cases, *(refusal.case for refusal in discovery.refused)]
    with ThreadPoolExecutor(THREADS) as pool:
        for found in pool.map(lambda case: _check_case(case, chosen), cases):
            findings += found
    findings.sort(key=lambda found: (found.file != folder, str(found.file), found.level))
    channels = ", ".join(chosen.channel_names)
    fact = f"{count_of(len(cases), 'case')} ({channels}), by the rules of {chosen.key}"
    return CheckReport("input", folder, tuple(findings), (fact,), chosen.key)


def _folder_findings(folder: Path, discovery: Discovery, challenge: Challenge) -> Iterator[Finding]:
    """What discovery says: no case at all, cases refused, files ignored."""
    if not discovery.cases and not discovery.refused:
        yield error(
            FindingCode.NO_CASE,
            f"no case of {challenge.key}",
            file=folder,
            expected=f"names like {challenge.case} with {', '.join(challenge.channels[0].suffixes)}.nii.gz",
            hint=_other_challenge(folder),
        )
    for refusal in discovery.refused:
        yield from_fault(refusal.error, file=folder / refusal.case.name)
    for told in discovery.ignored:
        yield warning(FindingCode.IGNORED, f"ignored: {told}", file=folder)


def _other_challenge(folder: Path) -> str:
    """What the names fit better."""
    try:
        other = find_challenge(folder, None)
    except UsageError:
        return "compare the names of folders and files with these, or name another --challenge"
    return f"the names fit {other.key}: --challenge {other.key}"


def _check_case(case: Case, challenge: Challenge) -> list[Finding]:
    """Read a case; what is refused is told, left out, and the rest read again."""
    findings: list[Finding] = []
    left = [channel for channel in challenge.channel_names if channel in case.files]
    while left:
        # Without a sound reference each channel can only be read by itself
        together = left if case.reference in left else left[:1]
        seen = challenge if case.reference in left else None
        readable = replace(case, reference=case.reference if seen else together[0])
        fault = _read(readable, together, seen, findings)
        gone = together if fault is None else [_channel_of(fault, case, together)]
        left = [channel for channel in left if channel not in gone]
        if fault is not None:
            findings.append(from_fault(fault, file=readable.reference_file))
    return findings


def _read(
    case: Case, channels: list[str], challenge: Challenge | None, findings: list[Finding]
) -> CaseError | None:
    """Read channels and add what is odd about them; returns what refuses them."""
    try:
        volume = read_volume(case, channels, challenge)
    except Exception as fault:
        return as_case_error(fault)
    findings += from_notices(volume.notices, case.reference_file)
    return None


def _channel_of(fault: CaseError, case: Case, channels: list[str]) -> str:
    return next((channel for channel in channels if case.files[channel] == fault.file), channels[0])
