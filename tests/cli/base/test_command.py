"""The common options, former spellings of options, and errors that nothing expects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from segcube.cli.base.command import Command
from segcube.core import LOG

ENTRY_POINT = Path(__file__).parents[2] / "project" / "mlcube.py"


def run(*arguments: str, env: dict[str, str] | None = None):
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

    @app.command(cls=Command)
    def command(maps: str = "none", data: str = "none", mirrors: bool = True, fails: bool = False) -> int:
        """Do something."""
        LOG.debug("a detail")
        LOG.info(f"{maps} {data} {mirrors}")
        LOG.warning("a warning")
        if fails:
            raise ValueError("no such thing")
        return 3

    return CliRunner().invoke(app, list(arguments), env=env)


def test_the_code_that_a_command_returns_is_its_exit_code():
    assert run().exit_code == 3


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ([], ["none none True", "a warning"]),
        (["-q"], ["a warning"]),
        (["--verbose"], ["a detail", "none none True", "a warning"]),
    ],
)
def test_quiet_and_verbose_choose_the_messages(options, lines):
    result = run(*options)
    assert (result.stderr.splitlines(), result.stdout) == (lines, "")


def test_a_variable_makes_a_command_quiet():
    assert run(env={"SEGCUBE_QUIET": "1"}).stderr == "a warning\n"


def test_after_a_command_no_message_is_printed():
    before = LOG.level
    run("-v")
    assert LOG.handlers == []
    assert LOG.level == before


@pytest.mark.parametrize(
    ("former", "words"),
    [(["--pred", "a"], "a none True"), (["--pred=a"], "a none True"), (["--no-flips"], "none none False")],
)
def test_a_renamed_option_still_works_with_a_message(former, words):
    result = run(*former)
    assert words in result.stderr
    assert f"{former[0].partition('=')[0]} is deprecated: use --" in result.stderr
    assert former[0].partition("=")[0] not in run("--help").stdout


@pytest.mark.parametrize("former", ["--data_path", "--data-path"])
def test_what_hosts_pass_to_the_container_works_without_a_message(former):
    result = run(former, "a")
    assert "none a True" in result.stderr
    assert "deprecated" not in result.stderr


def test_an_argument_that_looks_like_a_former_option_is_left_alone():
    assert run("--", "--pred").exit_code == 2


def test_an_unexpected_error_is_one_line_that_names_debug():
    result = run("--fails", "-q")
    assert result.exit_code == 1
    _, line = result.stderr.splitlines()
    assert line.startswith("error: ValueError: no such thing at test_command.py:")
    assert "--debug" in line
    assert "SEGCUBE_DEBUG=1" in line


@pytest.mark.parametrize(("options", "variables"), [(["--debug"], {}), ([], {"SEGCUBE_DEBUG": "1"})])
def test_debug_prints_the_traceback_of_an_unexpected_error(options, variables, monkeypatch):
    # Removes what --debug sets after the test
    monkeypatch.setenv("SEGCUBE_DEBUG", "0")
    result = run("--fails", *options, env=variables)
    assert result.exit_code == 1
    assert "Traceback (most recent call last):" in result.stderr
    assert 'raise ValueError("no such thing")' in result.stderr


FAILS = """
import runpy, sys
from segcube.spec import challenges

def load(key):
    raise ValueError("unexpected")

challenges.load_challenge = load
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_debug_works_in_the_container():
    command = [sys.executable, "-c", FAILS, ENTRY_POINT, "--debug", "phantoms", "x", "--challenge", "y"]
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
