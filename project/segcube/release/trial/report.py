"""Print the outcomes of hosts as a table or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from segcube.core import ExitCode, literal_text
from segcube.release.trial.trial import Outcome

STYLES = {"passed": "green", "failed": "bold red", "not run": "yellow"}


def outcome_line(outcome: Outcome) -> str:
    """Return the outcome of one host in one line, for progress."""
    return f"{outcome.host.name} with {outcome.submission}: {outcome.verdict} in {outcome.seconds:.1f} s"


def exit_code(outcomes: Sequence[Outcome], strict: bool = False) -> ExitCode:
    """Return DONE if every host was run and passed, without warnings if strict; else SOME_FAILED."""
    passed = all(o.verdict == "passed" and not (strict and o.findings) for o in outcomes)
    return ExitCode.DONE if passed and outcomes else ExitCode.SOME_FAILED


def print_trials(outcomes: Sequence[Outcome], not_proved: str, *, strict: bool, as_json: bool) -> None:
    """Print a table of the hosts, their findings, and what such trials do not prove, if anything."""
    if as_json:
        content = {"exit_code": int(exit_code(outcomes, strict)), "not_proved": not_proved}
        print(json.dumps(content | {"hosts": [_as_json(o) for o in outcomes]}, indent=1))
        return
    console = Console(highlight=False)
    table = Table("host", "submission", "outcome", "s", "details")
    for outcome in outcomes:
        verdict = Text(outcome.verdict, style=STYLES[outcome.verdict])
        seconds = f"{outcome.seconds:.1f}" if outcome.seconds else ""
        description = literal_text(outcome.why.partition("\n")[0] or outcome.host.description)
        table.add_row(outcome.host.name, literal_text(outcome.submission), verdict, seconds, description)
    console.print(table)
    for outcome in outcomes:
        for finding in outcome.findings:
            line = f"{outcome.host.name}: {finding.level} {finding.code} {finding.found}"
            console.print(literal_text(line, "" if finding.level == "warning" else "red"), soft_wrap=True)
    passed = sum(outcome.verdict == "passed" for outcome in outcomes)
    summary = f"{passed} of {len(outcomes)} passed" + (f"; not tested: {not_proved}" if not_proved else "")
    console.print(literal_text(summary))


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "host": outcome.host.model_dump(mode="json", by_alias=True),
        "submission": outcome.submission,
        "outcome": outcome.verdict,
        "seconds": round(outcome.seconds, 2),
        "why": outcome.why,
        "findings": [finding.as_json() for finding in outcome.findings],
    }
