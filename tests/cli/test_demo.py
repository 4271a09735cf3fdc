"""`segcube demo`; `make demo` runs all of it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.cli.demo import CHALLENGES, MARK, demo_steps
from segcube.spec.hosts import BUILT_IN_WEIGHTS
from segcube.spec.submission import read_submission, submission_folders


def run(*arguments: object):
    return CliRunner().invoke(app, ["demo", *map(str, arguments)])


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    result = run(tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path}: is not the folder of an earlier demo" in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_a_readme_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "README.txt").write_text("mine")
    assert run(tmp_path).exit_code == 2
    assert (tmp_path / "README.txt").read_text() == "mine"


@pytest.mark.parametrize("earlier", [False, True])
def test_a_new_folder_and_that_of_an_earlier_demo_are_written_to(tmp_path, earlier):
    folder = tmp_path / "demo"
    if earlier:
        folder.mkdir()
        (folder / "README.txt").write_text(MARK)
        (folder / "mbas2024").mkdir()
    # The first step refuses the challenge
    result = run(folder, "--challenge", "none-such")
    assert result.exit_code == 2
    assert "unknown challenge 'none-such'" in result.stderr
    assert (folder / "README.txt").read_text().startswith(MARK)


def test_the_commands_that_it_prints_are_complete():
    command = typer.main.get_command(app)
    for line, _ in demo_steps(Path("a folder"), "mbas2024"):
        name, *words = shlex.split(line)
        parsed = command.commands[name].make_context(name, words)
        assert "mbas2024" in parsed.params.values()


def test_a_starter_serves_each_challenge():
    starters = submission_folders(BUILT_IN_WEIGHTS)
    assert set(CHALLENGES) <= {key for folder in starters for key in read_submission(folder).challenge_keys}
