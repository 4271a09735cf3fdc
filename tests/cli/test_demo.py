"""`segcube demo`; `make demo` runs all of it."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer.main
from typer.testing import CliRunner

from segcube.cli import demo
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


def test_the_folder_of_an_earlier_demo_is_written_to(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "README.txt").write_text(MARK)
    # Ends the demo at its first step
    labels = folder / "mbas2024" / "labels"
    labels.mkdir(parents=True)
    (labels / "MBAS_001_label.nii.gz").write_text("mine")
    result = run(folder, "--challenge", "mbas2024")
    assert result.exit_code == 2
    assert "$ segcube phantoms" in result.stdout
    assert (labels / "MBAS_001_label.nii.gz").read_text() == "mine"
    assert "infer" in (folder / "README.txt").read_text()


def test_pictures_are_listed_only_where_they_can_be_drawn(monkeypatch):
    keys = ("mbas2024",)
    assert "pictures/" in demo._overview(Path("demo"), keys)
    monkeypatch.setattr(demo, "_can_draw", lambda: False)
    assert "pictures/" not in demo._overview(Path("demo"), keys)


def test_the_commands_that_it_prints_are_complete():
    command = typer.main.get_command(app)
    for line, _ in demo_steps(Path("a folder"), "mbas2024"):
        name, *words = shlex.split(line)
        parsed = command.commands[name].make_context(name, words)
        assert "mbas2024" in parsed.params.values()


def test_a_starter_serves_each_challenge():
    starters = submission_folders(BUILT_IN_WEIGHTS)
    assert set(CHALLENGES) <= {key for folder in starters for key in read_submission(folder).challenge_keys}
