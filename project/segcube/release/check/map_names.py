"""Match the files of an output folder with the cases of a data folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segcube.core import SCRATCH_PREFIX, UsageError
from segcube.release.check.findings import Finding, FindingCode, error
from segcube.spec.challenges import Challenge, nifti_stem, parse_name


def pair_maps(
    folder: Path, cases: Sequence[str], challenge: Challenge
) -> tuple[dict[str, Path], list[Finding]]:
    """Find the map of every case; report missing maps, wrong names and all other files and folders.

    Returns the map of each case that has one, even under a wrong name, and the findings. Raises UsageError
    when the folder cannot be listed.
    """
    proper = {challenge.output_name(case): case for case in cases}
    matcher = _Matcher(folder, challenge, proper, {case.lower(): case for case in cases})
    # Of each case: files with the right name, then those with other names
    found: dict[str, tuple[list[Path], list[Path]]] = {case: ([], []) for case in cases}
    findings: list[Finding] = []
    for file in _listing(folder):
        case = matcher.case_of(file)
        if case is None:
            findings.append(matcher.stray_finding(file))
        else:
            found[case][file.name not in proper].append(file)
    for case, (right, others) in found.items():
        findings += matcher.name_findings(case, right, others)
    maps = {case: [*right, *others][0] for case, (right, others) in found.items() if right or others}
    return maps, findings


@dataclass(frozen=True)
class _Matcher:
    """The names that maps of a data folder's cases should have."""

    folder: Path
    challenge: Challenge
    proper: Mapping[str, str]
    """The case of each correct file name."""
    cases: Mapping[str, str]
    """The cases by their names in lower case."""

    def case_of(self, file: Path) -> str | None:
        """Return the case whose map a file is or seems to be; None for other files."""
        if file.name.startswith(".") or _is_folder(file):
            return None
        if file.name in self.proper:
            return self.proper[file.name]
        named = [self.cases[name.lower()] for name in self._named(file.name) if name.lower() in self.cases]
        return named[0] if named else self._case_for_evaluator(file.name)

    def name_findings(self, case: str, right: list[Path], others: list[Path]) -> Iterator[Finding]:
        """Report a missing map, and wrong names and duplicates of one case."""
        proper = self.folder / self.challenge.output_name(case)
        if not right and not others:
            yield error(FindingCode.MISSING_MAP, f"no map of {case}", file=proper)
        for index, file in enumerate(others):
            needs_map = not right and index == 0
            yield self._wrong_name(file, proper) if needs_map else self._duplicate(file, case)
        if right and not self._evaluator_finds(case):
            yield error(
                FindingCode.NAME,
                "the evaluator does not find this name",
                file=right[0],
                expected=f"a name like {self.challenge.evaluator_pattern}",
            )

    def stray_finding(self, file: Path) -> Finding:
        """Report a file or folder that is not the map of a case."""
        only = "label maps only: evaluators load every file or refuse the folder"
        if _is_folder(file):
            return error(FindingCode.FOLDER, "a folder", file=file)
        if file.name.startswith("."):
            found = (
                "a leftover of a run that was killed"
                if file.name.startswith(SCRATCH_PREFIX)
                else "a hidden file"
            )
            return error(FindingCode.HIDDEN, found, file=file, expected=only)
        unknown = next(iter(self._named(file.name)), None)
        if unknown is not None and nifti_stem(file.name) is not None:
            return error(
                FindingCode.UNKNOWN_CASE,
                f"{unknown} is not a case of the data folder",
                file=file,
                expected=f"only maps of its {len(self.cases)} cases",
            )
        return error(FindingCode.STRAY, "not the name of a label map", file=file, expected=only)

    def _wrong_name(self, file: Path, proper: Path) -> Finding:
        code, found = FindingCode.NAME, "not the name that the evaluator looks for"
        image = parse_name(file.name, self.challenge)
        if file.name.split(".")[0] == proper.name.split(".")[0]:
            code, found = FindingCode.EXTENSION, "not the extension that the evaluator looks for"
        elif image is not None and image.channel is not None:
            found = "the name of an image"
        return error(code, found, file=file, expected=proper.name, hint=f"write it as {proper.name}")

    def _duplicate(self, file: Path, case: str) -> Finding:
        return error(
            FindingCode.DOUBLED_MAP,
            f"a second map of {case}",
            file=file,
            expected=f"only {self.challenge.output_name(case)}",
        )

    def _evaluator_finds(self, case: str) -> bool:
        """Return whether the evaluator finds the map of a case; True for case names that hosts assign."""
        pattern = self.challenge.evaluator_pattern
        if pattern is None or not self.challenge.is_case(case, aliases=False):
            return True
        return re.search(pattern, self.challenge.output_name(case)) is not None

    def _named(self, name: str) -> Iterator[str]:
        """Yield the parts of a file name that look like a case, in upper or lower case."""
        for pattern in (self.challenge.case, *self.challenge.aliases):
            match = re.search(rf"(?<![0-9])(?:{pattern})(?![0-9])", name, re.ASCII | re.IGNORECASE)
            if match is not None:
                yield match.group()

    def _case_for_evaluator(self, name: str) -> str | None:
        """Return the case to which the evaluator's pattern assigns a file."""
        pattern = self.challenge.evaluator_pattern
        match = re.search(pattern, name) if pattern else None
        if match is None or not match.groups():
            return None
        return next((case for case in self.cases.values() if case.endswith(match.group(1))), None)


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda file: file.name)
    except OSError as fault:
        is_gone = isinstance(fault, FileNotFoundError)
        found = "no such folder" if is_gone else f"cannot be listed: {fault.strerror}"
        raise UsageError(found, file=folder, expected="a folder of label maps") from fault


def _is_folder(file: Path) -> bool:
    try:
        return file.is_dir() and not file.is_symlink()
    except OSError:
        return False
