"""What a training shows while it runs: a table that is refreshed on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.box import ROUNDED
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table

from segcube.core import LOG, count_of, literal_text, live_display
from segcube.training.log import Record
from segcube.training.progress.charts import number
from segcube.training.progress.history import History
from segcube.training.progress.sections import RunFacts, dice_line, optional, time_left

REFRESH_SECONDS = 0.25
LINE_SECONDS = 60.0
"""Between two lines of steps, where there is no terminal."""


@contextmanager
def training_display(
    run: RunFacts, line_seconds: float = LINE_SECONDS
) -> Generator[Callable[[History, Record], None], None, None]:
    """Show a training; yields a function to call with the history after each record.

    On a terminal where messages are shown, a table is refreshed in place. Elsewhere a line is logged for the
    first step, the next one whenever `line_seconds` have passed, the last one and each validation.
    """
    with live_display() as show:
        due = 0.0

        def update(history: History, record: Record) -> None:
            nonlocal due
            is_step = record.get("kind") == "step"
            is_last = history.step >= run.steps or not is_step
            now = time.monotonic()
            if now < due and not is_last:
                return
            due = now + (line_seconds if show is None else REFRESH_SECONDS)
            if show is not None:
                show(status_table(run, history))
            elif is_step:
                LOG.info("%s", step_line(run, history))
            elif record.get("kind") == "validation":
                LOG.info("%s", validation_line(run, history))

        yield update


def status_table(run: RunFacts, history: History) -> RenderableType:
    """Return step, loss, Dice, speed, time left and memory as a table for a terminal."""
    grid = Table(box=ROUNDED, show_header=False, title=literal_text(f"{run.challenge.key}, {run.fold}"))
    grid.add_column()
    grid.add_column(min_width=40)
    grid.add_row("step", f"{history.step:,} / {run.steps:,}, {time_left(run, history)} left")
    grid.add_row("", ProgressBar(total=run.steps, completed=history.step))
    losses = [f"{name} {optional(history.latest.get(name))}" for name in history.losses]
    grid.add_row("loss", literal_text(", ".join(losses)))
    grid.add_row("learning rate", optional(history.latest.get("rate")))
    if history.validations:
        last = history.validations[-1]
        grid.add_row("Dice", literal_text(f"{dice_line(last.mean)} (step {last.step:,})"))
    grid.add_row("speed", f"{optional(history.steps_per_second)} steps/s{_waiting(history)}")
    grid.add_row("memory", f"{history.memory_gb:.2f} GB")
    return grid


def step_line(run: RunFacts, history: History) -> str:
    """Return the same in one line."""
    parts = [
        f"[{history.step}/{run.steps}] loss {optional(history.latest.get('loss'))}",
        f"rate {optional(history.latest.get('rate'))}",
    ]
    if history.validations:
        parts.append(f"Dice {dice_line(history.validations[-1].mean)}")
    parts += [
        f"{optional(history.steps_per_second)} steps/s",
        f"{time_left(run, history)} left",
        f"{history.memory_gb:.2f} GB",
    ]
    return ", ".join(parts)


def validation_line(run: RunFacts, history: History) -> str:
    """Return the result of the last validation in one line."""
    last = history.validations[-1]
    cases = count_of(len(last.scores), "case")
    return f"[{last.step}/{run.steps}] validation of {cases}: Dice {dice_line(last.mean)}"


def _waiting(history: History) -> str:
    """The share of time that steps wait for data."""
    total, waited = sum(history.seconds.values()), history.seconds.get("data", 0.0)
    return f", {number(round(100 * waited / total, 1))} % waiting for data" if total else ""
