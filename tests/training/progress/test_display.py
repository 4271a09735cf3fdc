from __future__ import annotations

import math
import re
from contextlib import redirect_stderr
from io import StringIO

import pytest

from segcube.core import LOG, console, console_logging
from segcube.training.progress import History
from segcube.training.progress.display import training_display


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    console._console.cache_clear()
    yield
    console._console.cache_clear()


def shown(run, records, stream: StringIO, line_seconds: float = 0.0, quiet: bool = False) -> str:
    """What is written to stderr, without control sequences."""
    with redirect_stderr(stream), console_logging(quiet), training_display(run, line_seconds) as display:
        history = History()
        for record in records:
            history.add(record)
            display(history, record)
            LOG.warning("a message")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_a_terminal_shows_a_table_below_the_messages(run, records):
    text = shown(run, records, Terminal())
    assert "a message" in text
    table = text[text.rindex("brats2023-gli, fold_0") :]
    for part in (
        "2 / 600, 19 min 56 s left",
        "loss 1, dice -0.25, entropy 0.75",
        "0.004",
        "0.5 steps/s",
        "1.25 GB",
    ):
        assert part in table
    assert "WT 0.500, TC 0.375, ET 0.125 (step 2)" in table
    assert "12.5 % waiting for data" in table


def test_elsewhere_lines_are_logged(run, records):
    lines = [line for line in shown(run, records, StringIO()).splitlines() if line != "a message"]
    assert lines == [
        "[1/600] loss 1, rate 0.004, 0.5 steps/s, 19 min 58 s left, 1.25 GB",
        "[2/600] loss 1, rate 0.004, 0.5 steps/s, 19 min 56 s left, 1.25 GB",
        "[2/600] validation of 2 cases: Dice WT 0.500, TC 0.375, ET 0.125",
    ]


def test_lines_are_rare_but_for_the_first_and_last_step_and_validations(run, records):
    last = {**records[0], "step": 600}
    text = shown(run, [*records, last], StringIO(), math.inf)
    assert re.findall(r"^\[(\d+)/600\]( validation)?", text, re.MULTILINE) == [
        ("1", ""),
        ("2", " validation"),
        ("600", ""),
    ]


def test_a_quiet_run_shows_warnings_alone(run, records):
    assert set(shown(run, records, Terminal(), quiet=True).splitlines()) == {"a message"}
