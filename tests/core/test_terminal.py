"""What a person sees of a run: on a terminal of any width, through a pipe, quiet, and without stderr."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from io import StringIO

import pytest

from segcube.core import LOG, case_bar, console, console_logging, stage_bar

NAME = "BraTS-GLI-00001-000 of a hospital with a long name"
YELLOW = "\x1b[33m"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _environment(monkeypatch) -> Iterator[None]:
    """A wide terminal with colours, whatever the tests run in."""
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "200")
    console._console.cache_clear()
    yield
    console._console.cache_clear()


def text_of(shown: StringIO) -> str:
    """What was written, without control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue())


def run(stderr: StringIO | None, name: str = NAME, quiet: bool = False) -> StringIO | None:
    with redirect_stderr(stderr), console_logging(quiet), stage_bar(cases=3, stages=2) as begin_stage:
        LOG.info(f"[1/3] {name}: done in 2.0 s")
        LOG.warning(f"{name}: RANGE: unusual")
        begin_stage(name, 1, "tumour", 1)
    return stderr


@pytest.mark.parametrize("columns", ["1", "20", "80", "400"])
def test_messages_are_whole_lines_on_a_terminal_of_any_width(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    lines = [line.strip() for line in text_of(run(Terminal())).replace("\r", "\n").splitlines()]
    assert f"[1/3] {NAME}: done in 2.0 s" in lines
    assert f"{NAME}: RANGE: unusual" in lines


def test_a_bar_shows_the_case_its_stage_and_the_stages_done():
    shown = run(Terminal())
    assert re.search(rf"{NAME} · tumour .*3/6", text_of(shown))
    assert YELLOW in shown.getvalue()


def test_names_are_shown_literally():
    shown = run(Terminal(), "[red]b[/red] :skull: \x1b[2J\n")
    assert "\x1b[2J" not in shown.getvalue()
    for line in ("{}: done", "{}: RANGE", "{} · tumour"):
        assert line.format(r"[red]b[/red] :skull: \x1b[2J\n") in text_of(shown)


def test_no_color_leaves_the_text(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    shown = run(Terminal())
    assert YELLOW not in shown.getvalue()
    assert f"{NAME}: RANGE: unusual" in text_of(shown)


def test_a_pipe_receives_lines_without_a_bar_or_control_sequences():
    assert run(StringIO()).getvalue() == f"[1/3] {NAME}: done in 2.0 s\n{NAME}: RANGE: unusual\n"


def test_a_quiet_run_shows_warnings_alone():
    assert text_of(run(Terminal(), quiet=True)) == f"{NAME}: RANGE: unusual\n"


def test_a_closed_or_missing_stderr_stops_no_run():
    closed = Terminal()
    closed.close()
    run(closed)
    run(None)


@pytest.mark.parametrize(("stderr", "shows"), [(Terminal(), True), (StringIO(), False)], ids=["tty", "pipe"])
def test_a_bar_over_cases_shows_the_finished_one_on_a_terminal(stderr, shows):
    with redirect_stderr(stderr), console_logging(), case_bar("scoring") as finish_case:
        finish_case(NAME, 2)
    assert bool(re.search(rf"scoring {NAME} .*1/2", text_of(stderr))) == shows
    assert bool(stderr.getvalue()) == shows
