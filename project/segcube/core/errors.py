"""Reason codes, exit codes, the errors that carry them, and the logger."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from pathlib import Path

LOG = logging.getLogger("segcube")
"""All messages of the package; only the command line prints those below warnings."""
DEBUG_VARIABLE = "SEGCUBE_DEBUG"
"""Environment variable: 1 logs the traceback of each unexpected error, as --debug does."""


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    SOME_FAILED = 3
    NONE_DONE = 4
    ENVIRONMENT = 5
    REQUEUE = 75
    """A training that saved its state and can go on in a new process."""
    INTERRUPTED = 130
    TERMINATED = 143


class Code(StrEnum):
    """Stable reason codes of failed cases, of notices and of training data, used in reports and on stderr."""

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
    # Of labelled cases and their folds, before training
    LABEL_MISSING = "LABEL_MISSING"
    LABEL_DUPLICATE = "LABEL_DUPLICATE"
    LABEL_ORPHAN = "LABEL_ORPHAN"
    LABEL_AXES = "LABEL_AXES"
    LABEL_SHAPE = "LABEL_SHAPE"
    LABEL_GRID = "LABEL_GRID"
    LABEL_FLIPPED = "LABEL_FLIPPED"
    LABEL_NONFINITE = "LABEL_NONFINITE"
    LABEL_FRACTIONS = "LABEL_FRACTIONS"
    LABEL_NEGATIVE = "LABEL_NEGATIVE"
    LABEL_VALUE = "LABEL_VALUE"
    LABEL_SCALED = "LABEL_SCALED"
    LABEL_TYPE = "LABEL_TYPE"
    LABEL_EMPTY = "LABEL_EMPTY"
    LABEL_MOST = "LABEL_MOST"
    LABEL_IGNORED = "LABEL_IGNORED"
    LABEL_OUTSIDE = "LABEL_OUTSIDE"
    LABEL_AS_IMAGE = "LABEL_AS_IMAGE"
    IMAGE_AS_LABEL = "IMAGE_AS_LABEL"
    SAME_CHANNEL = "SAME_CHANNEL"
    SAME_IMAGE = "SAME_IMAGE"
    SAME_LABELS = "SAME_LABELS"
    LABEL_ABSENT = "LABEL_ABSENT"
    LABEL_RARE = "LABEL_RARE"
    LABEL_NAMES = "LABEL_NAMES"
    CHANNEL_ORDER = "CHANNEL_ORDER"
    EXTRA_CHANNEL = "EXTRA_CHANNEL"
    CASE_NAME = "CASE_NAME"
    CASE_COUNT = "CASE_COUNT"
    PATIENT_TWICE = "PATIENT_TWICE"
    FEW_CASES = "FEW_CASES"
    SPACING_OUTLIER = "SPACING_OUTLIER"
    IGNORE_LABEL = "IGNORE_LABEL"
    FOLD_EMPTY = "FOLD_EMPTY"
    FOLD_TWICE = "FOLD_TWICE"
    FOLD_UNKNOWN = "FOLD_UNKNOWN"
    FOLD_MISSING = "FOLD_MISSING"
    FOLD_LEAK = "FOLD_LEAK"


LONGEST_PART = 2000
"""Characters of each part of a message; values quoted from untrusted files may be of any length."""


def printable(text: str) -> str:
    """Return the text as one line that is safe on a terminal: unprintable characters are escaped.

    File names may contain line breaks, terminal escape sequences and undecodable bytes.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SegcubeError(Exception):
    """An error with a message for the user: what was found in which file, what was expected, and the fix."""

    exit_code = ExitCode.USAGE
    label = "error: "
    """What the command line prints before the message."""

    def __init__(self, found: str, *, file: Path | None = None, expected: str = "", hint: str = "") -> None:
        self.found, self.file, self.expected, self.hint = found, file, expected, hint
        parts = [f"{file}: {found}" if file else found, f"expected {expected}" if expected else "", hint]
        short = [part if len(part) <= LONGEST_PART else f"{part[:LONGEST_PART]}..." for part in parts if part]
        super().__init__(printable("; ".join(short)))


class UsageError(SegcubeError):
    """The command line, the settings or a challenge file are invalid (exit 2)."""


class EnvironmentFault(SegcubeError):
    """Weights, disk or device are missing or unusable (exit 5)."""

    exit_code = ExitCode.ENVIRONMENT


class CaseError(SegcubeError):
    """A case that cannot be processed, with the reason code for its report."""

    exit_code = ExitCode.SOME_FAILED

    def __init__(
        self, code: Code, found: str, *, file: Path | None = None, expected: str = "", hint: str = ""
    ) -> None:
        self.code = code
        super().__init__(found, file=file, expected=expected, hint=hint)

    def __reduce__(self) -> tuple[Callable[..., CaseError], tuple[object, ...]]:
        return _case_error, (self.code, self.found, self.file, self.expected, self.hint)


def _case_error(code: Code, found: str, file: Path | None, expected: str, hint: str) -> CaseError:
    return CaseError(code, found, file=file, expected=expected, hint=hint)


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: 1 map, 2 maps."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def install_hint(extra: str) -> str:
    """Return what installs the packages of an extra."""
    return f"pip install 'segcube[{extra}]'"


EXTRAS = {
    "dynamic_network_architectures": "torch",
    "einops": "torch",
    "monai": "torch",
    "torch": "torch",
    "matplotlib": "report",
    "PIL": "png",
}
"""The extra that installs a package."""


def missing_package(error: ModuleNotFoundError, extra: str = "", hint: str = "") -> EnvironmentFault:
    """Return an import's error as one that names the package and the extra that installs it.

    extra: installs what the extra torch does, and more. hint: what to do instead.
    """
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return EnvironmentFault(f"{error}; install segcube again with its dependencies")
    found = EXTRAS[package]
    install = install_hint(extra if extra and found == "torch" else found)
    return EnvironmentFault(f"{package} is not installed", hint="; ".join(filter(None, (install, hint))))


@contextmanager
def naming_missing_packages(hint: str = "") -> Generator[None, None, None]:
    """Raise `missing_package` for a package that the block imports and that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_package(error, hint=hint) from error


def log_traceback(error: BaseException) -> None:
    """Log the traceback of an unexpected error where DEBUG_VARIABLE asks for it."""
    if os.environ.get(DEBUG_VARIABLE, "").lower() not in ("", "0", "false", "no", "off"):
        LOG.error("traceback of an unexpected error:", exc_info=error)


def internal_error(error: BaseException) -> CaseError:
    """Return an unexpected error as its case's INTERNAL error, with the file and line that raised it."""
    log_traceback(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    message = " ".join(str(error).split())
    hint = f"please report this, with the traceback that --debug or {DEBUG_VARIABLE}=1 prints"
    return CaseError(Code.INTERNAL, f"{type(error).__name__}: {message}{place}", hint=hint)


def as_case_error(error: BaseException) -> CaseError:
    """Return any error as its case's: a CaseError as it is, MEMORY for MemoryError, INTERNAL otherwise."""
    if isinstance(error, CaseError):
        return error
    if isinstance(error, MemoryError):
        return CaseError(Code.MEMORY, "not enough memory for the case", hint="give the run more memory")
    return internal_error(error)
