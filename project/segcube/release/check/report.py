"""Print the report of a check as text or JSON."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from segcube.core import count_of, printable
from segcube.release.check.findings import CheckReport, Finding

SHOWN = 20
"""Findings of one code that the text lists; JSON has them all."""
FILE_COLUMNS = 10_000
"""Width where stdout is a file or a pipe: lines are not wrapped."""
_STYLES = {"error": "bold red", "warning": "yellow"}


def print_report(report: CheckReport, strict: bool = False, as_json: bool = False) -> None:
    """Print the counts, the findings file by file, and a verdict."""
    if as_json:
        print(json.dumps(report.as_json(strict), indent=1))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else FILE_COLUMNS)
    for fact in report.facts:
        console.print(printable(fact), markup=False, soft_wrap=True)
    shown, left_out = _shorten(report.findings)
    for file, findings in groupby(shown, key=lambda finding: finding.file):
        console.print()
        console.print(Text(_name(file, report.root), style="bold"), soft_wrap=True)
        for finding in findings:
            _print_finding(finding, console)
    if left_out:
        console.print()
    for code, count in left_out.items():
        console.print(f"... and {count} more {code}; --json lists them all", markup=False)
    if report.findings:
        console.print()
    console.print(Text(verdict(report, strict), style=_verdict_style(report, strict)), soft_wrap=True)


def verdict(report: CheckReport, strict: bool = False) -> str:
    """Return the result in one line."""
    counts = f"{count_of(len(report.errors), 'error')}, {count_of(len(report.warnings), 'warning')}"
    if not report.findings:
        return "ok: nothing found"
    if report.exit_code(strict) == 0:
        return f"ok: {counts}"
    return f"failed: {counts}" + (" (--strict: warnings count)" if strict and not report.errors else "")


def _verdict_style(report: CheckReport, strict: bool) -> str:
    if report.exit_code(strict):
        return "bold red"
    return "yellow" if report.findings else "green"


def _print_finding(finding: Finding, console: Console) -> None:
    heading = Text()
    heading.append(f"{finding.level} {finding.code}", style=_STYLES[finding.level])
    heading.append(f"  {printable(finding.found)}")
    console.print(Padding(heading, (0, 0, 0, 2), expand=False))
    for label, text in (("expected", finding.expected), ("fix", finding.hint)):
        if text:
            line = Text(f"{label}: {printable(text)}", style="dim")
            console.print(Padding(line, (0, 0, 0, 6), expand=False))


def _shorten(findings: tuple[Finding, ...]) -> tuple[list[Finding], dict[str, int]]:
    """Return the first findings of each code, and the number of the others."""
    counts: dict[str, int] = {}
    shown: list[Finding] = []
    for finding in findings:
        code = str(finding.code)
        counts[code] = counts.get(code, 0) + 1
        if counts[code] <= SHOWN:
            shown.append(finding)
    return shown, {code: count - SHOWN for code, count in counts.items() if count > SHOWN}


def _name(file: Path | None, root: Path | None) -> str:
    if file is None:
        return "general"
    if root is not None and file.is_relative_to(root) and file != root:
        file = file.relative_to(root)
    return printable(str(file))
