"""Messages on a terminal: plain text, warnings and progress."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import IO, Self, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from segcube.core.errors import printable


def plain(text: object, style: str = "") -> Text:
    """One line that is printed as it stands: no markup, no emoji codes, nothing that moves the cursor.

    Names of files, cases and regions and the fields of a submission are other people's text.
    """
    return Text(printable(str(text)), style=style)


class _Stderr:
    """stderr that may be closed, full or gone: what cannot be told there is not told."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()

    def isatty(self) -> bool:
        try:
            return sys.stderr.isatty()
        except (OSError, ValueError, AttributeError):
            return False


class RunConsole:
    """Tell the course of a run; a stderr that is closed never stops it.

    quiet: warnings and failures only.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(file=cast("IO[str]", _Stderr()), highlight=False, soft_wrap=True, emoji=False)
        self._progress: Progress | None = None
        self._steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def say(self, message: str) -> None:
        """A line of the ordinary course."""
        if not self._quiet:
            self._print(message)

    def warn(self, message: str) -> None:
        """A line that stands in quiet runs too."""
        self._print(message, style="yellow")

    def start(self, cases: int, steps: int) -> None:
        """Show the bar for so many cases of so many stages each."""
        self._steps = steps
        if self._quiet or not self._console.is_terminal:
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("stages"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=self._console)
        self._progress.add_task("reading", total=cases * steps)
        self._progress.start()

    def show(self, case: str, index: int, stage: str, step: int) -> None:
        """Case number `index` (from 0) begins its stage number `step` (from 0)."""
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(
                task, description=escape(printable(f"{case} · {stage}")), completed=index * self._steps + step
            )

    def finish(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _print(self, message: str, style: str | None = None) -> None:
        self._console.print(printable(message), style=style, markup=False)


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
