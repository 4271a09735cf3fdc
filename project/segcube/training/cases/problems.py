"""Problems of training data: errors and notices, each with a reason code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from segcube.core import CaseError, Code, UsageError, count_of

LISTED = 5
"""Problems that one message quotes."""


@dataclass(frozen=True)
class Problem:
    """One problem of a case or of the whole data set."""

    code: Code
    case: str
    """Empty for the whole data set."""
    message: str
    """What is wrong with which file, what was expected, and the fix."""
    is_error: bool = True
    """Whether the data cannot be trained on; otherwise a notice."""

    def as_notice(self) -> Problem:
        """Return the problem as one that does not keep the data from being trained on."""
        return replace(self, is_error=False)


def problem(code: Code, case: str, found: str, *, file: Path, expected: str = "", hint: str = "") -> Problem:
    """Return an error; case: empty for the whole data set."""
    return problem_of(CaseError(code, found, file=file, expected=expected, hint=hint), case)


def problem_of(fault: CaseError, case: str) -> Problem:
    """Return a raised error as a problem of its case."""
    return Problem(fault.code, case, str(fault))


def errors_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the problems that are errors."""
    return tuple(found for found in problems if found.is_error)


class DataError(UsageError):
    """Data or folds that cannot be trained on, with all their problems."""

    def __init__(self, problems: Iterable[Problem], file: Path) -> None:
        self.problems = tuple(problems)
        quoted = [f"{found.code}: {found.message}" for found in self.problems[:LISTED]]
        more = [f"and {len(self.problems) - LISTED} more"] if len(self.problems) > LISTED else []
        super().__init__("; ".join([count_of(len(self.problems), "error"), *quoted, *more]), file=file)
