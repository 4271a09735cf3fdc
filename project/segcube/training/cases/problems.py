"""Problems of training data: errors and notices, each with a reason code."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from segcube.core import CaseError, Code, UsageError, count_of, write_atomic

LISTED = 5
"""Cases that a line names beside that of its first problem."""


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

    @property
    def kind(self) -> str:
        """`error` or `notice`."""
        return "error" if self.is_error else "notice"

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


def write_problems(problems: Iterable[Problem], file: Path) -> None:
    """Write problems.csv, a row for each problem. Raises EnvironmentFault when it cannot be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("code", "kind", "case", "message"))
    for found in problems:
        writer.writerow((found.code, found.kind, found.case, found.message))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, text.getvalue().encode(errors="backslashreplace"))


def lines_by_code(problems: Iterable[Problem]) -> list[str]:
    """Return a line for each reason code: its first problem, and the other cases that have it.

    Errors and notices of one code have a line each.
    """
    groups: dict[tuple[str, Code], list[Problem]] = {}
    for found in problems:
        groups.setdefault((found.kind, found.code), []).append(found)
    return [_line(f"{kind} {code}", found) for (kind, code), found in groups.items()]


def _line(title: str, problems: list[Problem]) -> str:
    first, *others = problems
    line = f"{title}: {first.message}"
    if not others:
        return line
    names = list(dict.fromkeys(found.case for found in others if found.case and found.case != first.case))
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    also = f", also in {', '.join(names[:LISTED])}{more}" if names else ""
    return f"{line} ({count_of(len(problems), 'problem')}{also})"


class DataError(UsageError):
    """Data or folds that cannot be trained on, with all their problems; a note has the line of each code."""

    def __init__(self, problems: Iterable[Problem], file: Path, hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__(count_of(len(self.problems), "error"), file=file, hint=hint)
        for line in lines_by_code(self.problems):
            self.add_note(line)
