"""Check a folder of cases by the rules of a run: discover the cases and read every file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from segcube.core import Case, CaseError, as_case_error, count_of
from segcube.evaluation import challenge_hint, match_files
from segcube.formats import Discovery, discover_cases, nifti_files
from segcube.formats.nifti import read_volume
from segcube.release.check.findings import (
    CheckReport,
    Finding,
    FindingCode,
    error,
    from_fault,
    from_notices,
    warning,
)
from segcube.spec.challenges import Challenge, load_challenge


def find_challenge(data: Path, named: str | None) -> Challenge:
    """Return the named challenge (key or YAML file), or the one that the file names fit.

    Raises UsageError for an unknown key, for a folder that does not exist, and when the names fit several
    challenges, which it lists.
    """
    if named is not None:
        return load_challenge(named)
    return match_files(nifti_files(data))


OTHERWISE = "rename folders and files, or give the --challenge that they belong to"
THREADS = 2
"""Each thread holds one case in memory."""


def check_input(folder: Path, challenge: str | None = None) -> CheckReport:
    """Check names, channels, grids, values and geometry of cases, reading every file completely.

    challenge: a key or a YAML file; None to take the one that the file names fit. Raises UsageError when the
    folder cannot be listed or the names fit no single challenge.
    """
    chosen = find_challenge(folder, challenge)
    discovery = discover_cases(folder, chosen)
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
    """Report an empty folder, refused cases and ignored files."""
    if not discovery.cases and not discovery.refused:
        suffixes = ", ".join(challenge.channels[0].suffixes)
        yield error(
            FindingCode.NO_CASE,
            f"no case of {challenge.key}",
            file=folder,
            expected=f"names like {challenge.case} with {suffixes}{challenge.endings[0]}",
            hint=challenge_hint(folder, challenge, OTHERWISE),
        )
    for refusal in discovery.refused:
        yield from_fault(refusal.error, file=folder / refusal.case.name)
    for ignored in discovery.ignored:
        yield warning(FindingCode.IGNORED, ignored, file=folder)


def _check_case(case: Case, challenge: Challenge) -> list[Finding]:
    """Read a case; report the channel that is refused, and read the others again without it."""
    findings: list[Finding] = []
    left = [channel for channel in challenge.channel_names if channel in case.files]
    while left:
        # Without a valid reference channel there is no grid to compare with: read the channels one by one
        together = left if case.reference in left else left[:1]
        rules = challenge if case.reference in left else None
        readable = replace(case, reference=case.reference if rules else together[0])
        try:
            volume = read_volume(readable, together, rules)
        except Exception as raised:
            fault = as_case_error(raised)
            findings.append(from_fault(fault, file=readable.reference_file))
            left.remove(_channel_of(fault, case, together))
        else:
            findings += from_notices(volume.notices, readable.reference_file)
            left = [channel for channel in left if channel not in together]
    return findings


def _channel_of(fault: CaseError, case: Case, channels: list[str]) -> str:
    """The channel whose file an error names, else the first one."""
    return next((channel for channel in channels if case.files[channel] == fault.file), channels[0])
