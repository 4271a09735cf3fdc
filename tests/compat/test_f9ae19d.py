"""What commit f9ae19d accepted is still accepted: submissions, settings, variables and command lines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer

from segcube.cli.app import app
from segcube.core import load_settings
from segcube.spec.submission import read_submission

FIXTURES = Path(__file__).parent / "f9ae19d"
COMMANDS = json.loads((FIXTURES / "commands.json").read_text())


def segcube_command(words: str):
    command = typer.main.get_command(app)
    for word in words.split():
        command = command.commands[word]
    return command


@pytest.mark.parametrize("words", COMMANDS)
def test_arguments_options_and_variables_of_each_command(words):
    command = segcube_command(words)
    parameters = command.params
    options = {
        spelling
        for parameter in parameters
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if parameter.param_type_name == "option"
    }
    variables = {
        name
        for parameter in parameters
        for name in ([parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or [])
    }
    arguments = [p.name for p in parameters if p.param_type_name == "argument"]
    for option in COMMANDS[words]["options"]:
        assert command.current_spelling(option) in options, option
    assert set(COMMANDS[words]["variables"]) <= variables
    assert len(arguments) == len(COMMANDS[words]["arguments"])


@pytest.mark.parametrize("name", ["brats-starter", "mbas-starter", "full"])
def test_submissions(tmp_path, name):
    shutil.copy(FIXTURES / f"{name}.yaml", tmp_path / "submission.yaml")
    submission = read_submission(tmp_path)
    assert submission.stages[-1].branches[0].members


def test_parameters():
    settings = load_settings(FIXTURES / "parameters.yaml", {})
    assert (settings.device, settings.preset, settings.on_error) == ("auto", "full", "empty")
