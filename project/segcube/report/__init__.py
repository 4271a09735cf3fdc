"""What a run tells: on the console, in its report, in tables."""

from segcube.report.case_report import CaseReport
from segcube.report.console import RunConsole
from segcube.report.plain import plain
from segcube.report.progress import case_bar
from segcube.report.run_report import DeviceReport, RunReport, library_versions, start_report
from segcube.report.scores import print_problems, print_scores
from segcube.report.submissions import print_submission
from segcube.report.tables import print_challenges

__all__ = [
    "CaseReport",
    "DeviceReport",
    "RunConsole",
    "RunReport",
    "case_bar",
    "library_versions",
    "plain",
    "print_challenges",
    "print_problems",
    "print_scores",
    "print_submission",
    "start_report",
]
