from __future__ import annotations

import pytest

from segcube.core import RunSettings, UsageError, load_settings, parse_shard, resolve_settings


@pytest.fixture
def file(tmp_path):
    return tmp_path / "parameters.yaml"


def test_an_empty_file_gives_the_defaults(file):
    file.touch()
    assert load_settings(file, {}) == RunSettings()


def test_the_command_line_takes_precedence_over_the_file(file):
    file.write_text("device: cuda\nflips: false\n")
    settings = load_settings(file, {"device": "cpu"})
    assert (settings.device, settings.flips) == ("cpu", False)


def test_a_submission_folder_is_relative_to_the_file(file):
    file.write_text("submission: mine\n")
    assert load_settings(file, {}).submission == str(file.parent / "mine")


def test_the_file_takes_precedence_over_the_defaults(file):
    defaults = file.with_name("defaults.yaml")
    defaults.write_text("on_error: empty\nflips: false\n")
    file.write_text("flips: true\n")
    settings = load_settings(file, {}, defaults=defaults)
    assert (settings.on_error, settings.flips) == ("empty", True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("devise: cpu", "'devise'.*valid keys: submission, challenge, device"),
        ("device: gpu", "device.*gpu"),
        ("on_error: ignore", "'skip', 'empty' or 'stop'"),
        ("compile: never", "'auto', 'on' or 'off'"),
        ("device: cuda:1000", "'device'.*cuda:N"),
        ("shard: 1/1000000000", "'shard'.*n-th case"),
        ("challenge: ../own.yaml", "'challenge'.*outside the folder"),
        ("submission: ''", "'submission'.*submission folder"),
        ("flips: true\nflips: false", "line 2, column 1: duplicate key 'flips'"),
        ("preset: quick", "'fast', 'balanced' or 'full'"),
        ("- cpu", "contains a list"),
        ("a: [", "cannot be read"),
    ],
)
def test_errors_name_the_key_and_the_valid_values(file, content, message):
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        load_settings(file, {})


def test_compile_may_be_a_bare_yaml_boolean(file):
    for word in ("on", "off", "auto"):
        file.write_text(f"compile: {word}\n")
        assert load_settings(file, {}).compile == word


def test_errors_name_a_missing_file(file):
    with pytest.raises(UsageError, match=r"parameters\.yaml"):
        load_settings(file, {})


def test_shards_are_counted_from_one():
    assert parse_shard("2/8") == (2, 8)
    for shard in ("0/8", "9/8"):
        with pytest.raises(UsageError, match="shard"):
            parse_shard(shard)


def test_a_device_of_another_form_is_answered_with_the_valid_ones():
    with pytest.raises(UsageError, match=r"'device' is 'gpu': expected auto, cpu, cuda or cuda:N"):
        resolve_settings({"device": "gpu"})
