"""Reason codes, exit codes and the errors that carry them."""

from __future__ import annotations

import traceback
from enum import IntEnum, StrEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a run tells the shell."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    SOME_FAILED = 3
    NONE_DONE = 4
    ENVIRONMENT = 5
    INTERRUPTED = 130
    TERMINATED = 143


class Code(StrEnum):
    """Stable reasons why a case is refused or odd; they stand in reports and on stderr."""

    TRUNCATED = "TRUNCATED"
    CORRUPT = "CORRUPT"
    EMPTY_FILE = "EMPTY_FILE"
    NOT_NIFTI = "NOT_NIFTI"
    NOT_FILE = "NOT_FILE"
    UNREADABLE = "UNREADABLE"
    BAD_HEADER = "BAD_HEADER"
    BAD_DTYPE = "BAD_DTYPE"
    BAD_SPACING = "BAD_SPACING"
    BAD_AFFINE = "BAD_AFFINE"
    TOO_LARGE = "TOO_LARGE"
    NDIM = "NDIM"
    NONFINITE = "NONFINITE"
    SHAPE_MISMATCH = "SHAPE_MISMATCH"
    AFFINE_MISMATCH = "AFFINE_MISMATCH"
    MISSING_MODALITY = "MISSING_MODALITY"
    DUPLICATE = "DUPLICATE"
    OUTPUT = "OUTPUT"
    MEMORY = "MEMORY"
    INTERNAL = "INTERNAL"
    QFORM_SFORM = "QFORM_SFORM"
    NO_FORM = "NO_FORM"
    NOT_ORTHONORMAL = "NOT_ORTHONORMAL"
    CONSTANT = "CONSTANT"
    RANGE = "RANGE"
    FLIPPED = "FLIPPED"
    GEOMETRY = "GEOMETRY"
    EMPTY_GATE = "EMPTY_GATE"


LONGEST_PART = 2000
"""Letters of each part of an error: a foreign file may bring words of any length."""


def printable(text: str) -> str:
    """One line that any terminal and log takes: what cannot be printed stands as its escape.

    Names of files may hold line breaks, terminal commands and bytes that are no text.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SegcubeError(Exception):
    """An error for a person: what was found, what was expected, how to fix it."""

    exit_code = ExitCode.USAGE

    def __init__(self, found: str, *, file: Path | None = None, expected: str = "", hint: str = "") -> None:
        self.found, self.file, self.expected, self.hint = found, file, expected, hint
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The whole error in one line: file, found, expected, fix."""
        parts = [f"{self.file}: {self.found}" if self.file else self.found]
        if self.expected:
            parts.append(f"expected {self.expected}")
        if self.hint:
            parts.append(self.hint)
        return printable("; ".join(_shortened(part) for part in parts))


def _shortened(part: str) -> str:
    return part if len(part) <= LONGEST_PART else f"{part[:LONGEST_PART]}..."


class UsageError(SegcubeError):
    """The command, its settings or a challenge file cannot be obeyed (exit 2)."""


class EnvironmentFault(SegcubeError):
    """Weights, disk or device are not as the run needs them (exit 5)."""

    exit_code = ExitCode.ENVIRONMENT


class CaseError(SegcubeError):
    """A case that cannot be done, with the reason code that its report carries."""

    exit_code = ExitCode.SOME_FAILED

    def __init__(
        self, code: Code, found: str, *, file: Path | None = None, expected: str = "", hint: str = ""
    ) -> None:
        self.code = code
        super().__init__(found, file=file, expected=expected, hint=hint)


def internal_error(error: BaseException) -> CaseError:
    """An error that nobody foresaw as its case's own, with the place where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    told = " ".join(str(error).split())
    return CaseError(Code.INTERNAL, f"{type(error).__name__}: {told}{place}", hint="please report this")


def as_case_error(error: BaseException) -> CaseError:
    """Any error as its case's own: MEMORY where memory ran out, INTERNAL where nobody foresaw it."""
    if isinstance(error, CaseError):
        return error
    if isinstance(error, MemoryError):
        return CaseError(Code.MEMORY, "too little memory for the case", hint="give the run more memory")
    return internal_error(error)
