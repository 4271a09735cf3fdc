from __future__ import annotations

import json

import pytest
import yaml
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.spec.challenges import load_challenge


@pytest.fixture
def challenge(tmp_path):
    """The file of a challenge of small hearts."""
    content = load_challenge("mbas2024").model_dump(mode="json")
    content["geometry"]["grids"] = [{"shape": [64, 64, 44], "spacing": [6.25, 6.25, 2.5]}]
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def phantoms(*arguments):
    return CliRunner().invoke(app, ["phantoms", *map(str, arguments)])


def compare(folder, challenge, *arguments):
    folders = ["--compare", folder / "data", "--ref", folder / "labels"]
    return phantoms(*folders, "--challenge", challenge, "--count", 1, *arguments)


def test_scans_are_compared_with_phantoms(tmp_path, challenge):
    assert phantoms(tmp_path, "--challenge", challenge, "--count", 2).exit_code == 0
    report, chart = tmp_path / "report.json", tmp_path / "chart.png"
    for _ in range(2):
        result = compare(tmp_path, challenge, "--report", report, "--chart", chart)
        assert result.exit_code == 0
    assert "2 scans, 1 phantom," in result.stdout
    assert "box without blood, share above 0.8" in result.stdout
    assert json.loads(report.read_text())["challenge"] == "mbas2024"
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_each_case_is_printed_and_the_folders_are_reported(tmp_path, challenge):
    result = phantoms(tmp_path, "--challenge", challenge, "--count", 2)
    assert result.stdout.splitlines() == ["MBAS_001", "MBAS_002"]
    assert f"2 phantoms in {tmp_path / 'data'}, labels in {tmp_path / 'labels'}" in result.stderr


@pytest.mark.parametrize(("bad", "code"), [(1, 3), (2, 4)])
def test_scans_that_cannot_be_read_are_reported(tmp_path, challenge, bad, code):
    phantoms(tmp_path, "--challenge", challenge, "--count", 2)
    for file in sorted((tmp_path / "labels").iterdir())[:bad]:
        file.write_bytes(b"no map")
    result = compare(tmp_path, challenge)
    assert result.exit_code == code
    assert result.stderr.count("not measured") == bad


def test_other_files_are_kept(tmp_path, challenge):
    phantoms(tmp_path, "--challenge", challenge)
    for option, name in (("--report", "mine.json"), ("--chart", "mine.png")):
        (tmp_path / name).write_text("mine")
        assert compare(tmp_path, challenge, option, tmp_path / name).exit_code == 2
        assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "no folder to write to"),
        (("DIR", "--compare", "scans"), "--compare writes no cases"),
        (("DIR", "--ref", "labels"), "without scans"),
        (("--compare", "scans", "--report", "file", "--chart", "file"), "are one file"),
    ],
)
def test_phantoms_are_either_written_or_compared(options, words, challenge):
    result = phantoms(*options, "--challenge", challenge)
    assert result.exit_code == 2
    assert words in result.stderr
