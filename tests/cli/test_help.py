from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from segcube.cli.app import app


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command and group with its name."""
    yield " ".join(path), command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example(name):
    _, _, example = COMMANDS[name].help.partition("Example:\n")
    assert f"  segcube {name}" in example


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_with_its_default(name):
    for parameter in COMMANDS[name].params:
        assert parameter.help.endswith("."), parameter.name
        if parameter.default in (None, "") and not parameter.required and "completion" not in parameter.name:
            assert "Default:" in parameter.help, parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_types_and_required_arguments_have_no_brackets_of_typer(name):
    shown = CliRunner().invoke(app, [*name.split(), "-h"]).stdout
    assert re.findall(r"[{}]|<\w", shown) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_h_shows_the_help(name):
    result = CliRunner().invoke(app, [*name.split(), "-h"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: segcube")
    assert "Example:" in result.stdout


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if hasattr(command, "commands")])
def test_what_each_command_does_fits_on_its_line(name):
    listed = CliRunner().invoke(app, [*name.split(), "-h"]).stdout
    assert [line for line in listed.splitlines()[1:] if line.endswith("...")] == []


def test_commands_of_a_group_are_listed_together():
    shown = CliRunner().invoke(app, ["synthesize", "-h"]).stdout
    assert "Commands:\n  train " in shown
    assert "Train:" not in shown


def test_commands_are_listed_in_sections():
    lines = CliRunner().invoke(app, ["-h"]).stdout.splitlines()
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Options:", "Use:", "Train:", "Prepare:", "Evaluate:", "Submit:"]


SHORT = {"data": "-i", "out": "-o", "weights": "-w", "quiet": "-q", "verbose": "-v"}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_has_the_same_short_form_in_every_command(name):
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            short = [spelling for spelling in parameter.opts if not spelling.startswith("--")]
            assert short == [SHORT[parameter.name]] if parameter.name in SHORT else not short


def test_the_help_imports_no_package_that_takes_long():
    slow = ("numpy", "torch", "rich.console", "importlib.metadata", "pydantic", "yaml")
    code = f"import sys, segcube.cli.app; print([name for name in {slow} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
