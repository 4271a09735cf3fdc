"""What a run tells: on the console, in its report, in tables."""

from segcube.report.console import RunConsole
from segcube.report.run_report import DeviceReport, RunReport, start_report
from segcube.report.tables import print_challenges, print_scores, print_submission

__all__ = [
    "DeviceReport",
    "RunConsole",
    "RunReport",
    "print_challenges",
    "print_scores",
    "print_submission",
    "start_report",
]
