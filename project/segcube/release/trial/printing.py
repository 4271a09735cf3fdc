"""The hosts' outcomes for a person, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from segcube.core import ExitCode, plain
from segcube.release.trial.trial import Outcome

STYLES = {"passed": "green", "failed": "bold red", "not run": "yellow"}


def outcome_line(outcome: Outcome) -> str:
    """One host's outcome in a line, for progress."""
    return f"{outcome.host.name} with {outcome.submission}: {outcome.verdict} in {outcome.seconds:.1f} s"


def exit_code(outcomes: Sequence[Outcome], strict: bool = False) -> ExitCode:
    """DONE when every host passed; a host that was not run counts as failed; warnings count if strict."""
    sound = all(o.verdict == "passed" and not (strict and o.findings) for o in outcomes)
    return ExitCode.DONE if sound and outcomes else ExitCode.SOME_FAILED


def print_trials(outcomes: Sequence[Outcome], unproved: str, *, strict: bool, as_json: bool) -> None:
    """Print a table of the hosts, what was found, and what such trials leave unproved, if anything."""
    if as_json:
        content = {"exit_code": int(exit_code(outcomes, strict)), "not_proved": unproved}
        print(json.dumps(content | {"hosts": [_as_json(o) for o in outcomes]}, indent=1))
        return
    console = Console(highlight=False)
    table = Table("host", "submission", "outcome", "s", "who started it, or what went wrong")
    for outcome in outcomes:
        verdict = Text(outcome.verdict, style=STYLES[outcome.verdict])
        seconds = f"{outcome.seconds:.1f}" if outcome.seconds else ""
        told = plain(_first_line(outcome.why) or outcome.host.who)
        table.add_row(outcome.host.name, plain(outcome.submission), verdict, seconds, told)
    console.print(table)
    for outcome in outcomes:
        for finding in outcome.findings:
            told = f"{outcome.host.name}: {finding.level} {finding.code} {finding.found}"
            console.print(plain(told, "" if finding.level == "warning" else "red"), soft_wrap=True)
    passed = sum(outcome.verdict == "passed" for outcome in outcomes)
    told = f"{passed} of {len(outcomes)} passed" + (f"; not proved: {unproved}" if unproved else "")
    console.print(plain(told))


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "host": asdict(outcome.host),
        "submission": outcome.submission,
        "outcome": outcome.verdict,
        "seconds": round(outcome.seconds, 2),
        "why": outcome.why,
        "findings": [finding.as_json() for finding in outcome.findings],
    }
