"""What became of each case, told on the console and in the report as it happens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segcube.errors import CaseError
from segcube.report import CaseReport, RunConsole, RunReport
from segcube.volumes import write_whole


@dataclass(frozen=True)
class Ledger:
    """The run's report, the file it is written to, and the console."""

    report: RunReport
    file: Path | None
    console: RunConsole

    def refuse(self, case: str, error: CaseError) -> None:
        """Tell why a case is bad."""
        self.console.warn(f"{case}: {error.code}: {error}")

    def add(self, case: CaseReport) -> None:
        """Tell a case that is over, and write the report anew."""
        self.report.cases.append(case)
        for notice in case.notices:
            self.console.warn(f"{case.case}: {notice.code}: {notice.message}")
        if case.status != "failed":
            seconds = sum(case.seconds.values())
            self.console.say(f"{case.case}: {case.status}" + (f" in {seconds:.1f} s" if seconds else ""))
        self.save()

    def save(self) -> None:
        """Write the report, if one was asked for. Raises EnvironmentFault when that cannot be."""
        if self.file is not None:
            write_whole(self.file, self.report.as_json())
