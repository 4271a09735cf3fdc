"""The course of a run: each case printed and appended to a file of lines, the report written at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from segcube.core import LOG, CaseError, EnvironmentFault, count_of, duration, write_atomic
from segcube.inference.folder.report import CaseReport, OnCase, RunReport


@dataclass
class CaseLog:
    """A run's report and the files that it is written to.

    The report is written when the run begins and when it ends; a line of JSON a case is appended to the file
    beside it, so that the cost of a case does not grow with their number.
    """

    report: RunReport
    file: Path | None
    count: int = 0
    """Cases of the run."""
    on_case: OnCase | None = None
    _begun: float = field(default_factory=perf_counter, init=False)
    _noticed: dict[str, list[str]] = field(default_factory=dict[str, list[str]], init=False)
    """The cases of each notice."""

    def begin(self) -> None:
        """Write the report without a case, and begin the file of lines. Raises EnvironmentFault."""
        if self.file is not None:
            write_atomic(self.file, self.report.as_json())
            about = {key: value for key, value in asdict(self.report).items() if key != "cases"}
            if (lines := lines_file(self.file)) is not None:
                write_atomic(lines, _line(about))

    def refuse(self, case: str, error: CaseError) -> None:
        """Print why a case is bad."""
        LOG.warning(f"{case}: {error.code}: {error}")

    def add(self, case: CaseReport) -> None:
        """Add a finished case, print it and append its line. Raises EnvironmentFault."""
        self.report.cases.append(case)
        for notice in case.notices:
            message = f"{notice.code}: {notice.message}"
            self._noticed.setdefault(message, []).append(case.case)
            LOG.debug(f"{case.case}: {message}")
        seconds = sum(case.seconds.values())
        took = f" in {seconds:.1f} s" if seconds else ""
        LOG.info(f"[{self.finished}/{self.count}] {case.case}: {case.status}{took}{self._left()}")
        if case.seconds:
            LOG.debug(", ".join(f"{step} {time:.2f} s" for step, time in case.seconds.items()))
        if self.file is not None and (lines := lines_file(self.file)) is not None:
            _append(lines, _line(asdict(case)))
        if self.on_case is not None:
            self.on_case(case, self.finished, self.count)

    def end(self, ended: str) -> None:
        """Print each notice once with its cases, and write the report whole.

        ended: done, terminated or failed. Raises EnvironmentFault.
        """
        self.report.ended = ended
        for message, cases in self._noticed.items():
            LOG.warning(f"{cases[0] if len(cases) == 1 else count_of(len(cases), 'case')}: {message}")
        if self.file is not None:
            write_atomic(self.file, self.report.as_json())

    def summary(self) -> str:
        """Cases by status and reason code, and the time that they took."""
        statuses = Counter(case.status for case in self.report.cases)
        codes = Counter(case.code for case in self.report.cases if case.code)
        parts = [f"{count} {status}" for status, count in statuses.items()] or ["no case"]
        reasons = ", ".join(f"{code} {count}" for code, count in codes.items())
        took = duration(perf_counter() - self._begun)
        return f"{', '.join(parts)}{f' ({reasons})' if reasons else ''} in {took}"

    @property
    def finished(self) -> int:
        """Cases that are finished, bad ones included."""
        return len(self.report.cases)

    def _left(self) -> str:
        """The time that the cases left will take, at the pace of those finished."""
        seconds = (perf_counter() - self._begun) / self.finished * (self.count - self.finished)
        # Cases that fail at once give no pace
        return f", about {duration(seconds)} left" if seconds >= 1 else ""


def lines_file(report: Path) -> Path | None:
    """The file of lines beside a report: report.jsonl beside report.json; None beside a device or a pipe."""
    if report.exists() and not report.is_file():
        return None
    return report.with_name(f"{report.name.removesuffix('.json')}.jsonl")


def _line(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _append(file: Path, line: bytes) -> None:
    try:
        with file.open("ab") as opened:
            opened.write(line)
    except OSError as error:
        raise EnvironmentFault(f"cannot be written: {error.strerror or error}", file=file) from error
