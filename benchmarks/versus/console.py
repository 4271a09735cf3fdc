"""The results on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from versus.goals import Verdict
from versus.results import RowResult
from versus.summary import HEAD, STEPS_HEAD, lines, step_lines, title

CONSOLE = Console(width=150)


def show(results: Sequence[RowResult], judged: Sequence[Verdict]) -> None:
    """Print a table a row, where the time goes, and the goals."""
    for result in results:
        _table(HEAD, lines(result), title(result))
    _table(
        STEPS_HEAD,
        step_lines(results),
        "where segcube's time goes, seconds of a case; start and end, and all: of the run",
    )
    goals = Table("what", "found", "goal", "met", title="what must hold")
    for verdict in judged:
        style = "" if verdict.met else "bold red"
        goals.add_row(verdict.what, verdict.found, verdict.goal, "yes" if verdict.met else "NO", style=style)
    CONSOLE.print(goals)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    table = Table(head[0], title=title, title_justify="left")
    for name in head[1:]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    CONSOLE.print(table)
