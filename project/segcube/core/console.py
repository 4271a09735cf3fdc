"""Messages and progress bars on stderr."""

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


def literal_text(text: object, style: str = "") -> Text:
    """Return one line that rich prints literally: no markup, emoji codes or control characters.

    Names of files, cases and regions and the fields of a submission are untrusted text.
    """
    return Text(printable(str(text)), style=style)


class _Stderr:
    """stderr that may be closed, full or missing: what cannot be written is dropped."""

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
    """Messages and progress of an inference run; a closed stderr never stops the run.

    quiet: print warnings only.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(file=cast("IO[str]", _Stderr()), highlight=False, soft_wrap=True, emoji=False)
        self._progress: Progress | None = None
        self._stages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def info(self, message: str) -> None:
        """Print a line, unless quiet."""
        if not self._quiet:
            self._console.print(printable(message), markup=False)

    def warning(self, message: str) -> None:
        """Print a line in yellow, even if quiet."""
        self._console.print(printable(message), style="yellow", markup=False)

    def start(self, cases: int, stages: int) -> None:
        """Show a progress bar for `cases` of `stages` each, on a terminal and unless quiet."""
        self._stages = stages
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
        self._progress.add_task("reading", total=cases * stages)
        self._progress.start()

    def show(self, case: str, index: int, stage: str, stage_index: int) -> None:
        """Update the progress bar: a case, at `index` from 0, begins a stage, at `stage_index` from 0."""
        if self._progress is not None:
            task = self._progress.task_ids[0]
            self._progress.update(
                task,
                description=escape(printable(f"{case} · {stage}")),
                completed=index * self._stages + stage_index,
            )


@contextmanager
def case_bar(verb: str) -> Generator[Callable[[str, int], None], None, None]:
    """Show a progress bar over cases; yields a function of a finished case's name and the number of cases.

    verb: what is done to the cases, such as "scoring".
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(verb, total=None)

        def finish_case(case: str, total: int) -> None:
            progress.update(task, description=escape(printable(f"{verb} {case}")), total=total, advance=1)

        yield finish_case
