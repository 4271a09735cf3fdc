"""Findings of a check and their report: codes, levels, JSON and exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeAlias

from segcube.core import (
    CaseError,
    Code,
    EnvironmentFault,
    ExitCode,
    Notice,
    SegcubeError,
    StrictModel,
    read_model,
)


class FindingCode(StrEnum):
    """Codes of findings about folders of cases, label maps and submissions, and about trials of hosts."""

    NO_CASE = "NO_CASE"
    IGNORED = "IGNORED"
    MISSING_MAP = "MISSING_MAP"
    DOUBLED_MAP = "DOUBLED_MAP"
    UNKNOWN_CASE = "UNKNOWN_CASE"
    NAME = "NAME"
    EXTENSION = "EXTENSION"
    STRAY = "STRAY"
    HIDDEN = "HIDDEN"
    FOLDER = "FOLDER"
    LINK = "LINK"
    PERMISSIONS = "PERMISSIONS"
    ROOT_OWNED = "ROOT_OWNED"
    SPACING = "SPACING"
    ORIENTATION = "ORIENTATION"
    FORM_LOST = "FORM_LOST"
    UNITS = "UNITS"
    BIG_ENDIAN = "BIG_ENDIAN"
    NIFTI2 = "NIFTI2"
    FLOAT_TYPE = "FLOAT_TYPE"
    WIDE_TYPE = "WIDE_TYPE"
    SCALED = "SCALED"
    LABELS = "LABELS"
    FRACTIONS = "FRACTIONS"
    COPY = "COPY"
    EMPTY_MAP = "EMPTY_MAP"
    MOSTLY_LABELLED = "MOSTLY_LABELLED"
    OUTSIDE_IMAGE = "OUTSIDE_IMAGE"
    ABSENT_LABEL = "ABSENT_LABEL"
    UNCHECKED_GRID = "UNCHECKED_GRID"
    SUBMISSION = "SUBMISSION"
    CHALLENGE = "CHALLENGE"
    WRITE_ORDER = "WRITE_ORDER"
    MISSING_WEIGHTS = "MISSING_WEIGHTS"
    WEIGHTS = "WEIGHTS"
    SHA256 = "SHA256"
    MEMBER = "MEMBER"
    SAME_WEIGHTS = "SAME_WEIGHTS"
    UNUSED_WEIGHTS = "UNUSED_WEIGHTS"
    NOT_COMPILED = "NOT_COMPILED"
    GRAPH = "GRAPH"
    DRY_RUN = "DRY_RUN"
    STARTER = "STARTER"
    LICENCE = "LICENCE"
    CITATION = "CITATION"
    MODEL_CARD = "MODEL_CARD"
    EXIT = "EXIT"
    INPUT_CHANGED = "INPUT_CHANGED"
    LABELS_DIFFER = "LABELS_DIFFER"
    IMAGE_NAME = "IMAGE_NAME"


class _Advice(StrictModel):
    """What is expected and how to fix it, for codes where these are always the same."""

    expected: str = ""
    hint: str = ""


class _AdviceTable(StrictModel):
    advice: Mapping[Code | FindingCode, _Advice]


_ADVICE = read_model(Path(__file__).parent / "data" / "advice.yaml", _AdviceTable, EnvironmentFault).advice

Level: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One problem (error) or oddity (warning): where, what was found and expected, how to fix it."""

    level: Level
    code: Code | FindingCode
    file: Path | None
    found: str
    expected: str = ""
    hint: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON types; `file` is null for a finding without one."""
        return asdict(self) | {"code": str(self.code), "file": None if self.file is None else str(self.file)}


@dataclass(frozen=True)
class CheckReport:
    """The result of one check: all findings, and what was counted."""

    check: str
    """input, output, submission or pack."""
    root: Path | None
    """The folder that was checked."""
    findings: tuple[Finding, ...]
    facts: tuple[str, ...] = ()
    """What was counted or measured, one sentence each."""
    challenge: str | None = None

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that an evaluator or a host would reject."""
        return tuple(finding for finding in self.findings if finding.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that may be intended."""
        return tuple(finding for finding in self.findings if finding.level == "warning")

    def exit_code(self, strict: bool = False) -> ExitCode:
        """Return SOME_FAILED if there are errors, or warnings if strict; else DONE."""
        failed = self.findings if strict else self.errors
        return ExitCode.SOME_FAILED if failed else ExitCode.DONE

    def as_json(self, strict: bool = False) -> dict[str, Any]:
        """Return the report as JSON types, with its exit code."""
        return {
            "check": self.check,
            "root": None if self.root is None else str(self.root),
            "challenge": self.challenge,
            "exit_code": int(self.exit_code(strict)),
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "facts": list(self.facts),
            "findings": [finding.as_json() for finding in self.findings],
        }


def error(
    code: Code | FindingCode, found: str, *, file: Path | None = None, expected: str = "", hint: str = ""
) -> Finding:
    """Create an error; what is not given of expected and hint is that of data/advice.yaml."""
    usual = _ADVICE.get(code, _Advice())
    return Finding("error", code, file, found, expected or usual.expected, hint or usual.hint)


def warning(
    code: Code | FindingCode, found: str, *, file: Path | None = None, expected: str = "", hint: str = ""
) -> Finding:
    """Create a warning, otherwise as `error`."""
    return replace(error(code, found, file=file, expected=expected, hint=hint), level="warning")


def from_fault(
    fault: SegcubeError, code: Code | FindingCode = Code.INTERNAL, file: Path | None = None
) -> Finding:
    """Convert a raised error to a finding.

    code, file: used where the error has none.
    """
    code = fault.code if isinstance(fault, CaseError) else code
    expected = fault.expected or ("a file that can be read" if code is Code.UNREADABLE else "")
    return Finding("error", code, fault.file or file, fault.found, expected, fault.hint)


def from_notices(notices: Iterable[Notice], file: Path) -> tuple[Finding, ...]:
    """Convert the notices about a readable file to warnings."""
    return tuple(Finding("warning", notice.code, file, notice.message) for notice in notices)
