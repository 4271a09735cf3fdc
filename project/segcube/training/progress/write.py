"""Write progress.html, progress.png and scores.csv from a fold's log, during a training and after it."""

from __future__ import annotations

import csv
import io
import platform
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from segcube.core import LOG, log_traceback, write_atomic
from segcube.inference.folder import library_versions
from segcube.training.log import Record, StepLog
from segcube.training.progress.display import LINE_SECONDS, training_display
from segcube.training.progress.export import Write
from segcube.training.progress.history import History, read_history
from segcube.training.progress.page import progress_page
from segcube.training.progress.pictures import draw_curves
from segcube.training.progress.sections import RunFacts

PAGE, CURVES, SCORES = "progress.html", "progress.png", "scores.csv"
PAGE_SECONDS = 60.0
"""Between two writes of the page."""
MOST_SHARE = 0.01
"""The largest share of a training's time that writing the page takes."""


def write_progress(folder: Path, run: RunFacts, history: History) -> None:
    """Write progress.html, scores.csv and, where matplotlib is installed, progress.png to a fold's folder.

    Each file is replaced atomically. Curves have at most MOST_POINTS points, so that the page of any log has
    at most a few hundred kB besides its pictures. Raises EnvironmentFault when a file cannot be written.
    """
    write_atomic(folder / SCORES, scores_csv(history))
    write_atomic(folder / PAGE, progress_page(run, history, folder, datetime.now(UTC)))
    draw_curves(folder / CURVES, f"{run.challenge.key}, {run.fold}: step {history.step:,}", history)


@contextmanager
def show_progress(
    folder: Path,
    run: RunFacts,
    log: StepLog,
    exports: Sequence[Write] = (),
    line_seconds: float = LINE_SECONDS,
) -> Generator[Callable[[Record], None], None, None]:
    """Follow a training; yields a function to call with each record after it is in the log, its follower.

    The log is read at the first call, so that a training that continues shows its whole history. The page is
    rewritten every PAGE_SECONDS, after validations and at the end, in at most MOST_SHARE of the time; the
    terminal or its lines are as in `training_display`. exports: get each record of this process. What fails
    is logged, never raised: no training ends for its page.
    """
    with training_display(run, line_seconds) as display:
        follower = _Follower(folder, run, log)
        follower.sinks = [lambda record: display(follower.history, record), *exports]
        try:
            yield follower.take
        finally:
            follower.write()


def training_environment(device: torch.device) -> dict[str, str]:
    """Return the device, its name and the versions of Python, CUDA and the libraries, by name."""
    found = {"device": str(device), "python": platform.python_version(), **library_versions()}
    if device.type == "cuda":
        found["GPU"] = torch.cuda.get_device_name(device)
        found["CUDA"] = str(torch.version.cuda)
    else:
        found["threads"] = str(torch.get_num_threads())
    return found


def scores_csv(history: History) -> bytes:
    """Return a row for each validation, case and region as CSV, with Dice and the challenge's metrics.

    Values that do not exist are empty.
    """
    metrics = list(
        dict.fromkeys(
            name
            for found in history.validations
            for regions in found.metrics.values()
            for row in regions.values()
            for name in row
        )
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("step", "case", "region", "dice", *(f"challenge_{name}" for name in metrics)))
    for found in history.validations:
        for case, row in found.scores.items():
            for region, dice in row.items():
                others = found.metrics.get(case, {}).get(region, {})
                # The writer leaves None empty
                writer.writerow((found.step, case, region, dice, *map(others.get, metrics)))
    return text.getvalue().encode(errors="backslashreplace")


@dataclass
class _Follower:
    """What is known while a training runs, and when its page is due."""

    folder: Path
    run: RunFacts
    log: StepLog
    sinks: list[Callable[[Record], None]] = field(default_factory=list)
    history: History = field(default_factory=History)
    began: bool = False
    due: float = 0.0
    earliest: float = 0.0
    """When the page may be written again."""

    def take(self, record: Record) -> None:
        if not _succeeds(partial(self._add, record)):
            return
        self.sinks = [sink for sink in self.sinks if _succeeds(partial(sink, record))]
        now, validated = time.monotonic(), record.get("kind") == "validation"
        if now >= self.due or (validated and now >= self.earliest):
            self.write()

    def _add(self, record: Record) -> None:
        if self.began:
            self.history.add(record)
        else:
            # With this record, and after the loop cut the lines off that follow the state it loaded
            self.history, self.began = read_history(self.log.records()), True

    def write(self) -> None:
        if not self.began:
            return
        begun = time.monotonic()
        _succeeds(partial(write_progress, self.folder, self.run, self.history))
        now = time.monotonic()
        self.earliest = now + (now - begun) / MOST_SHARE
        self.due = max(now + PAGE_SECONDS, self.earliest)


def _succeeds(call: Callable[[], None]) -> bool:
    """Whether a call succeeds; its error is logged."""
    try:
        call()
    except Exception as error:
        log_traceback(error)
        LOG.warning("the progress of the training is shown incompletely: %s", error)
        return False
    return True
