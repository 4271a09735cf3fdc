from __future__ import annotations

import pytest

from segcube.core import RunSettings, UsageError, parse_shard, settings_of


@pytest.fixture
def file(tmp_path):
    return tmp_path / "parameters.yaml"


def test_an_empty_file_gives_the_defaults(file):
    file.touch()
    assert settings_of(file, {}) == RunSettings()


def test_the_command_line_stands_over_the_file(file):
    file.write_text("device: cuda\nflips: false\n")
    settings = settings_of(file, {"device": "cpu"})
    assert (settings.device, settings.flips) == ("cpu", False)


def test_a_submission_lies_beside_the_file(file):
    file.write_text("submission: mine\n")
    assert settings_of(file, {}).submission == str(file.parent / "mine")


def test_a_file_stands_over_the_defaults(file):
    defaults = file.with_name("defaults.yaml")
    defaults.write_text("on_error: empty\nflips: false\n")
    file.write_text("flips: true\n")
    settings = settings_of(file, {}, defaults=defaults)
    assert (settings.on_error, settings.flips) == ("empty", True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("devise: cpu", "'devise'.*valid keys there: submission, challenge, device"),
        ("device: gpu", "device.*gpu"),
        ("on_error: ignore", "'skip', 'empty' or 'stop'"),
        ("compile: never", "'auto', 'on' or 'off'"),
        ("device: cuda:1000", "'device'.*pattern"),
        ("shard: 1/1000000000", "'shard'.*pattern"),
        ("challenge: ../own.yaml", "'challenge'.*outside the folder"),
        ("submission: ''", "'submission'.*pattern"),
        ("flips: true\nflips: false", "line 2, column 1: key 'flips' repeats"),
        ("preset: quick", "'fast', 'balanced' or 'full'"),
        ("- cpu", "holds a list"),
        ("a: [", "cannot be read"),
    ],
)
def test_what_cannot_be_obeyed_is_named(file, content, told):
    file.write_text(content)
    with pytest.raises(UsageError, match=told):
        settings_of(file, {})


@pytest.mark.parametrize("word", ["on", "off", "auto"])
def test_a_switch_may_stand_bare(file, word):
    file.write_text(f"compile: {word}\n")
    assert settings_of(file, {}).compile == word


def test_a_missing_file_is_named(file):
    with pytest.raises(UsageError, match=r"parameters\.yaml"):
        settings_of(file, {})


def test_shards_count_from_one():
    assert parse_shard("2/8") == (2, 8)
    for shard in ("0/8", "9/8"):
        with pytest.raises(UsageError, match="shard"):
            parse_shard(shard)
