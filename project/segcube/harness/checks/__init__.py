"""Checks of cases and label maps, all findings at once; submissions, which need torch, are checked beside."""

from segcube.harness.checks.check_input import check_input
from segcube.harness.checks.check_output import check_output
from segcube.harness.checks.codes import FindingCode
from segcube.harness.checks.findings import CheckReport, Finding, error, from_fault, from_notices, warning
from segcube.harness.checks.print_findings import print_report

__all__ = [
    "CheckReport",
    "Finding",
    "FindingCode",
    "check_input",
    "check_output",
    "error",
    "from_fault",
    "from_notices",
    "print_report",
    "warning",
]
