"""Messages and progress bars on stderr; messages are those of the logger `segcube`."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cache
from typing import IO, TYPE_CHECKING, cast

from rich.console import Console
from rich.text import Text

from segcube.core.errors import LOG, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress


def literal_text(text: object, style: str = "") -> Text:
    """Return one line that rich prints literally: no markup, emoji codes or control characters.

    Names of files, cases and regions and the fields of a submission are untrusted text.
    """
    return Text(printable(str(text)), style=style)


STDERR_GONE = (OSError, ValueError, AttributeError)
"""What a closed, full or missing stderr raises."""


class _Stderr:
    """stderr, where what cannot be written is dropped."""

    encoding = "utf-8"

    @property
    def _stream(self) -> IO[str]:
        # A progress bar replaces sys.stderr by a proxy, which prints to the console and so to this
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)

    def write(self, text: str) -> int:
        with suppress(*STDERR_GONE):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(*STDERR_GONE):
            self._stream.flush()

    def isatty(self) -> bool:
        with suppress(*STDERR_GONE):
            return self._stream.isatty()
        return False


@cache
def _console() -> Console:
    """The console of messages and progress bars; a closed stderr stops neither."""
    return Console(file=cast("IO[str]", _Stderr()), highlight=False, soft_wrap=True, emoji=False)


class ConsoleHandler(logging.Handler):
    """Prints messages to stderr, above a progress bar, warnings in yellow and errors in red."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message and the traceback that came with it."""
        warns, fails = (record.levelno >= level for level in (logging.WARNING, logging.ERROR))
        style = "red" if fails else "yellow" if warns else ""
        _console().print(literal_text(record.getMessage(), style))
        for part in traceback.format_exception(record.exc_info[1]) if record.exc_info else ():
            for line in part.splitlines():
                _console().print(literal_text(line))


@contextmanager
def console_logging(quiet: bool = False, verbose: bool = False) -> Generator[None, None, None]:
    """Print the messages of the package meanwhile: warnings if quiet, details as well if verbose."""
    handler, level, propagates = ConsoleHandler(), LOG.level, LOG.propagate
    LOG.addHandler(handler)
    # A library that logs by the root logger gives that a handler, which would print each message again
    LOG.propagate = False
    LOG.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)
        LOG.propagate = propagates


def _is_shown() -> bool:
    """Whether messages are shown on a terminal."""
    prints = any(isinstance(handler, ConsoleHandler) for handler in LOG.handlers)
    return prints and LOG.isEnabledFor(logging.INFO) and _console().is_terminal


@contextmanager
def live_display() -> Generator[Callable[[RenderableType], None] | None, None, None]:
    """Show below the messages what the yielded function was last called with.

    Yields None where messages are not shown, or not on a terminal.
    """
    from rich.live import Live

    if not _is_shown():
        yield None
        return
    # Without a thread that refreshes it: each call does
    with Live(console=_console(), auto_refresh=False) as live:
        yield lambda shown: live.update(shown, refresh=True)


@contextmanager
def _progress(*, transient: bool) -> Generator[Progress, None, None]:
    """A progress bar with the time left, on a terminal where messages are shown."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(), disable=not _is_shown(), transient=transient) as progress:
        yield progress


@contextmanager
def stage_bar(cases: int, stages: int) -> Generator[Callable[[str, int, str, int], None], None, None]:
    """Show a progress bar for `cases` of `stages` each.

    Yields a function to call when a stage begins: the case's name, its index from 0, the stage's name and its
    index from 0.
    """
    with _progress(transient=False) as progress:
        task = progress.add_task("reading", total=cases * stages)

        def begin_stage(case: str, index: int, stage: str, stage_index: int) -> None:
            description = printable(f"{case} · {stage}")
            progress.update(task, description=description, completed=index * stages + stage_index)

        yield begin_stage


@contextmanager
def case_bar(verb: str) -> Generator[Callable[[str, int], None], None, None]:
    """Show a progress bar over cases; yields a function of a finished case's name and the number of cases.

    verb: what is done to the cases, such as "scoring".
    """
    with _progress(transient=True) as progress:
        task = progress.add_task(verb, total=None)

        def finish_case(case: str, total: int) -> None:
            progress.update(task, description=printable(f"{verb} {case}"), total=total, advance=1)

        yield finish_case
