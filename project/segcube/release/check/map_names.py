"""Which file of an output folder is whose label map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segcube.core import PREFIX, UsageError
from segcube.release.check.findings import Finding, FindingCode, error
from segcube.spec.challenges import Challenge, nifti_stem, parse_name


@dataclass(frozen=True)
class MapNames:
    """Each case's map, those with a wrong name included, and what is wrong with the names."""

    maps: Mapping[str, Path]
    findings: tuple[Finding, ...]


@dataclass
class _Found:
    """The files of one case: those of the right name and the others."""

    proper: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)


def pair_maps(folder: Path, cases: Sequence[str], challenge: Challenge) -> MapNames:
    """Find the map of every case, and tell every file and folder that is none.

    Raises UsageError when the folder cannot be listed.
    """
    proper = {challenge.output_name(case): case for case in cases}
    namer = _Namer(folder, challenge, proper, {case.lower(): case for case in cases})
    found = {case: _Found() for case in cases}
    findings: list[Finding] = []
    for file in namer.listing():
        case = namer.case_of(file)
        if case is None:
            findings.append(namer.stray(file))
        elif file.name in proper:
            found[case].proper.append(file)
        else:
            found[case].others.append(file)
    maps: dict[str, Path] = {}
    for case, files in found.items():
        findings += namer.judge(case, files)
        if files.proper or files.others:
            maps[case] = [*files.proper, *files.others][0]
    return MapNames(maps, tuple(findings))


@dataclass(frozen=True)
class _Namer:
    """Reads file names against the cases of a data folder."""

    folder: Path
    challenge: Challenge
    proper: Mapping[str, str]
    """The case of each name that a map should have."""
    cases: Mapping[str, str]
    """The cases of the data folder, by their names in lower case."""

    def listing(self) -> list[Path]:
        """Everything in the folder, by name."""
        try:
            return sorted(self.folder.iterdir(), key=lambda file: file.name)
        except OSError as fault:
            raise UsageError(
                f"cannot be listed: {fault.strerror}", file=self.folder, expected="a folder of label maps"
            ) from fault

    def case_of(self, file: Path) -> str | None:
        """The case of the data folder whose map a file is, or seems to be; None for all else."""
        if file.name.startswith(".") or _is_folder(file):
            return None
        if file.name in self.proper:
            return self.proper[file.name]
        named = [self.cases[name.lower()] for name in self._named(file.name) if name.lower() in self.cases]
        return named[0] if named else self._taken_for(file.name)

    def judge(self, case: str, files: _Found) -> Iterator[Finding]:
        """What is wrong with the names of one case's files."""
        proper = self.folder / self.challenge.output_name(case)
        if not files.proper and not files.others:
            yield error(
                FindingCode.MISSING_MAP,
                f"no map of {case}",
                file=proper,
                expected="one map a case",
                hint="predict the case again; the evaluators refuse a folder with a map missing",
            )
        first_is_meant = not files.proper
        for file in files.others:
            yield self._misnamed(file, proper) if first_is_meant else self._doubled(file, case)
            first_is_meant = False
        if files.proper and not self._evaluator_finds(case):
            yield error(
                FindingCode.NAME,
                "the evaluator does not find this name",
                file=files.proper[0],
                expected=f"a name like {self.challenge.evaluator_pattern}",
            )

    def stray(self, file: Path) -> Finding:
        """Why something in the folder does not belong there."""
        only = "label maps alone: evaluators load every file, or refuse the folder"
        if _is_folder(file):
            return error(
                FindingCode.FOLDER,
                "a folder",
                file=file,
                expected="a flat folder of label maps",
                hint="move its maps up, or remove it",
            )
        if file.name.startswith("."):
            told = "a leftover of a run that was killed" if file.name.startswith(PREFIX) else "a hidden file"
            return error(FindingCode.HIDDEN, told, file=file, expected=only, hint="remove it")
        unknown = next(iter(self._named(file.name)), None)
        if unknown is not None and nifti_stem(file.name) is not None:
            return error(
                FindingCode.UNKNOWN_CASE,
                f"{unknown} is no case of the data folder",
                file=file,
                expected=f"maps of its {len(self.cases)} cases alone",
                hint="remove it, or check against the data that it was made of",
            )
        return error(
            FindingCode.STRAY, "no label map by its name", file=file, expected=only, hint="remove it"
        )

    def _misnamed(self, file: Path, proper: Path) -> Finding:
        code, told = FindingCode.NAME, "another name than the evaluator looks for"
        image = parse_name(file.name, self.challenge)
        if file.name.split(".")[0] == proper.name.split(".")[0]:
            code, told = FindingCode.EXTENSION, "another extension than the evaluator looks for"
        elif image is not None and image.channel is not None:
            told = "the name of an image"
        return error(code, told, file=file, expected=proper.name, hint=f"write it as {proper.name}")

    def _doubled(self, file: Path, case: str) -> Finding:
        return error(
            FindingCode.DOUBLED_MAP,
            f"a second map of {case}",
            file=file,
            expected=f"{self.challenge.output_name(case)} alone",
            hint="remove one: which of them is read depends on the reader",
        )

    def _evaluator_finds(self, case: str) -> bool:
        """Whether the evaluator finds a case's map; names that hosts invent are the hosts' affair."""
        pattern = self.challenge.evaluator_pattern
        if pattern is None or not self.challenge.is_case(case, aliases=False):
            return True
        return re.search(pattern, self.challenge.output_name(case)) is not None

    def _named(self, name: str) -> Iterator[str]:
        """What in a file's name looks like a case, upper and lower case alike."""
        for pattern in (self.challenge.case, *self.challenge.aliases):
            match = re.search(rf"(?<![0-9])(?:{pattern})(?![0-9])", name, re.ASCII | re.IGNORECASE)
            if match is not None:
                yield match.group()

    def _taken_for(self, name: str) -> str | None:
        """The case that the evaluator takes a file for."""
        pattern = self.challenge.evaluator_pattern
        match = re.search(pattern, name) if pattern else None
        if match is None or not match.groups():
            return None
        return next((case for case in self.cases.values() if case.endswith(match.group(1))), None)


def _is_folder(file: Path) -> bool:
    try:
        return file.is_dir() and not file.is_symlink()
    except OSError:
        return False
