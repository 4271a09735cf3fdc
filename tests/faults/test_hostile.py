"""Hostile files and names: each is refused in one line, within limits of memory and processor time."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from segcube.core import EnvironmentFault, SegcubeError, UsageError, load_settings
from segcube.spec.challenges import load_challenge
from segcube.spec.submission import load_for_challenge

from .hostile_texts import JSON, YAML
from .test_weights import change, member_of

WITHIN_LIMITS = """
import resource
pages = int(open("/proc/self/statm").read().split()[0])
space = pages * resource.getpagesize() + 200 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (space, space))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
"""
"""Memory beyond that of the process at its start. An explosion takes minutes and a refusal a second: the
limit of processor time is far from both, so that a busy machine fails no test."""


@pytest.fixture
def refused(commands):
    """Run a command within the limits and check its exit code and its one line on stderr."""

    def run(code: int, file: Path | str, message: str, *arguments: object) -> None:
        ended = commands.call(*arguments, before=WITHIN_LIMITS)
        assert ended.code == code, ended.stderr
        (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("warning")]
        assert line.startswith("error: ")
        assert line.isprintable()
        assert str(file) in line
        assert re.search(message, line), line
        assert len(line) < 3000

    return run


@pytest.fixture
def folder(weights, room) -> Path:
    return Path(shutil.copytree(weights, room / "weights"))


@pytest.mark.parametrize("attack", YAML)
def test_a_submission_of_hostile_yaml(refused, data, folder, room, attack):
    text, message = YAML[attack]
    file = folder / "submission.yaml"
    file.write_text(text)
    options = ["--data_path", data, "--output_path", room / "out", "--weights", folder]
    refused(5, file, message, "infer", *options)
    assert not (room / "out").exists()


TEXT, MESSAGE = YAML["aliases"]
"""One attack for each other way to the reader, whose limits are the same for all."""


@pytest.mark.parametrize(
    "command",
    [
        "info {folder}",
        "compile {folder}",
        "tune --probabilities {data} --ref {data} --weights {folder} --out {room}/b",
        "soup uniform {folder} --out {room}/soup",
    ],
    ids=lambda command: command.split()[0],
)
def test_other_commands_of_a_submission(refused, data, folder, room, command):
    (folder / "submission.yaml").write_text(TEXT)
    words = command.format(folder=folder, data=data, room=room).split()
    refused(5, folder / "submission.yaml", MESSAGE, *words)


@pytest.mark.parametrize("command", ["check submission", "pack --image team/name:1"])
@pytest.mark.parametrize("name", ["submission.yaml", "openvino.yaml"])
def test_commands_that_report_findings(commands, folder, name, command):
    (folder / name).write_text(TEXT)
    ended = commands.call(*command.split(), folder, before=WITHIN_LIMITS)
    assert ended.code == 3, ended.stderr
    assert re.search(MESSAGE, " ".join((commands.scratch / "stdout").read_text().split()))


@pytest.mark.parametrize("option", ["--parameters_file", "--defaults_file"])
def test_parameters_of_hostile_yaml(refused, data, weights, room, option):
    file = room / "parameters.yaml"
    file.write_text(TEXT)
    options = ["--data_path", data, "--output_path", room / "out", "--weights", weights]
    refused(2, file, MESSAGE, "infer", *options, option, file)


@pytest.mark.parametrize(
    "command",
    [
        "phantoms {room}/made",
        "evaluate --pred {data} --ref {data}",
        "check input {data}",
        "import monai-bundle {data} --out {room}/imported",
    ],
    ids=lambda command: command.split()[0],
)
def test_a_challenge_of_hostile_yaml(refused, data, room, command):
    file = room / "own.yaml"
    file.write_text(TEXT)
    refused(2, file, MESSAGE, *command.format(data=data, room=room).split(), "--challenge", file)


@pytest.mark.parametrize("attack", JSON)
def test_scores_of_hostile_json(refused, room, attack):
    text, message = JSON[attack]
    for name in ("a.json", "b.json"):
        (room / name).write_text(text)
    refused(2, room / "a.json", message, "rank", room / "a.json", room / "b.json")


@pytest.mark.parametrize(
    ("ending", "text", "message"),
    [("json", *JSON["100,000_brackets"]), ("yaml", TEXT, MESSAGE)],
    ids=str.lower,
)
def test_a_bundle_of_hostile_configuration(refused, room, ending, text, message):
    file = room / "bundle" / "configs" / f"inference.{ending}"
    (room / "bundle" / "models").mkdir(parents=True)
    file.parent.mkdir()
    file.write_text(text)
    words = ["import", "monai-bundle", room / "bundle", "--out", room / "out", "--challenge", "brats2023-gli"]
    refused(5, file, message, *words)


def test_plans_of_hostile_json(refused, room):
    text, message = JSON["100,000_brackets"]
    fold = room / "model" / "fold_0"
    fold.mkdir(parents=True)
    (fold / "checkpoint_final.pth").touch()
    (room / "model" / "plans.json").write_text(text)
    words = ["import", "nnunet", room / "model", "--out", room / "out", "--challenge", "brats2023-gli"]
    refused(5, room / "model" / "plans.json", message, *words)


def error_of(fault: type[SegcubeError], function: Callable[..., object], *arguments: object) -> str:
    """The message of a refusal, which is one printable line of bounded length."""
    with pytest.raises(fault) as caught:
        function(*arguments)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 3000
    return message


@pytest.mark.parametrize(
    ("key", "names"),
    [
        (
            "file",
            ["../member", "/etc/passwd", "a\0b", "a\nerror: b", "a\x1b[31mb", "..", "", " a", "a" * 256],
        ),
        ("challenge", ["../own.yaml", "/etc/own.yaml", "a\0.yaml", "a\x1b[31m", "a\nb"]),
    ],
    ids=["member", "challenge"],
)
def test_a_submission_with_hostile_names(folder, key, names):
    for name in names:
        new = {key: name}
        change(
            folder, lambda content, new=new: (member_of(content) if key == "file" else content).update(new)
        )
        message = error_of(EnvironmentFault, load_for_challenge, folder)
        assert str(folder / "submission.yaml") in message
        assert f"{key}' is " in message, name


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("submission", ["a\0b", ""]),
        ("challenge", ["a\0b", "../own.yaml"]),
        ("shard", ["1" * 5000 + "/2", "1/" + "2" * 5000, "٢/٨", "1/2\n"]),
        ("device", ["cuda:" + "1" * 5000]),
    ],
)
def test_parameters_of_hostile_values(room, key, values):
    file = room / "parameters.yaml"
    for value in values:
        file.write_text(yaml.safe_dump({key: value}))
        message = error_of(UsageError, load_settings, file, {})
        assert str(file) in message
        assert f"'{key}' is " in message, value
        assert f"'{key}' is " in error_of(UsageError, load_settings, None, {key: value}), value


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("made_case", ["B-{number:0999999999d}", "B-{number.__class__}", "B-{other}"]),
        ("output", ["{case:>999999999}.nii.gz", "{case}/{case.__class__}.nii.gz", "../{case}.nii.gz"]),
        ("case", ["(" * 100_000 + ")" * 100_000, "a{99999999999999}"]),
        ("title", ["a\x1b[31m\nb"]),
    ],
)
def test_a_challenge_of_hostile_values(room, key, values):
    file, content = room / "own.yaml", load_challenge("brats2023-gli").model_dump(mode="json")
    for value in values:
        file.write_text(yaml.safe_dump(content | {key: value}))
        message = error_of(UsageError, load_challenge, str(file))
        assert str(file) in message
        assert f"'{key}'" in message, value[:80]
