"""A bar over cases, on stderr, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from segcube.errors import printable


@contextmanager
def case_bar(verb: str) -> Generator[Callable[[str, int], None], None, None]:
    """Show a bar while the block runs.

    What it gives hears the name of each case that is done, and how many there are.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(verb, total=None)

        def done(case: str, total: int) -> None:
            progress.update(task, description=escape(printable(f"{verb} {case}")), total=total, advance=1)

        yield done
