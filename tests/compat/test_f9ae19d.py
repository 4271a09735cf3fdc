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


def missing(words: str) -> set[str]:
    """What a command accepted at that commit and accepts no longer."""
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
    before = COMMANDS[words]
    same = len(arguments) == len(before["arguments"])
    gone = set() if same else {f"arguments {before['arguments']}"}
    spellings = {option for option in before["options"] if command.current_spelling(option) not in options}
    return gone | spellings | set(before["variables"]) - variables


def test_arguments_options_and_variables_of_each_command():
    assert len(COMMANDS) > 10
    assert {words: missing(words) for words in COMMANDS if missing(words)} == {}


@pytest.mark.parametrize("name", ["brats-starter", "mbas-starter", "full"])
def test_submissions(tmp_path, name):
    shutil.copy(FIXTURES / f"{name}.yaml", tmp_path / "submission.yaml")
    submission = read_submission(tmp_path)
    assert submission.stages[-1].branches[0].members


def test_parameters():
    settings = load_settings(FIXTURES / "parameters.yaml", {})
    assert (settings.device, settings.preset, settings.on_error) == ("auto", "full", "empty")
