"""Hostile files and names: each is refused in one line, within limits of memory and processor time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from segcube.spec.challenges import load_challenge

from .hostile_texts import JSON, SOME_YAML, YAML
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


@pytest.mark.parametrize("attack", SOME_YAML)
@pytest.mark.parametrize(
    "command",
    [
        ["info", "{folder}"],
        ["compile", "{folder}"],
        [
            "tune",
            "--probabilities",
            "{data}",
            "--ref",
            "{data}",
            "--weights",
            "{folder}",
            "--out",
            "{room}/b",
        ],
        ["soup", "uniform", "{folder}", "--out", "{room}/soup"],
    ],
    ids=lambda command: command[0],
)
def test_other_commands_of_a_submission(refused, data, folder, room, command, attack):
    text, message = YAML[attack]
    (folder / "submission.yaml").write_text(text)
    words = [word.format(folder=folder, data=data, room=room) for word in command]
    refused(5, folder / "submission.yaml", message, *words)


@pytest.mark.parametrize("attack", SOME_YAML)
@pytest.mark.parametrize("command", [["check", "submission"], ["pack", "--image", "team/name:1"]])
@pytest.mark.parametrize("name", ["submission.yaml", "openvino.yaml"])
def test_commands_that_report_findings(commands, folder, name, command, attack):
    text, message = YAML[attack]
    (folder / name).write_text(text)
    ended = commands.call(*command, folder, before=WITHIN_LIMITS)
    assert ended.code == 3, ended.stderr
    assert re.search(message, " ".join((commands.scratch / "stdout").read_text().split()))


@pytest.mark.parametrize("attack", SOME_YAML)
@pytest.mark.parametrize("option", ["--parameters_file", "--defaults_file"])
def test_parameters_of_hostile_yaml(refused, data, weights, room, option, attack):
    text, message = YAML[attack]
    file = room / "parameters.yaml"
    file.write_text(text)
    options = ["--data_path", data, "--output_path", room / "out", "--weights", weights]
    refused(2, file, message, "infer", *options, option, file)


@pytest.mark.parametrize("attack", SOME_YAML)
@pytest.mark.parametrize(
    "command",
    [
        ["phantoms", "{room}/made"],
        ["evaluate", "--pred", "{data}", "--ref", "{data}"],
        ["check", "input", "{data}"],
        ["import", "monai-bundle", "{data}", "--out", "{room}/imported"],
    ],
    ids=lambda command: command[0],
)
def test_a_challenge_of_hostile_yaml(refused, data, room, command, attack):
    text, message = YAML[attack]
    file = room / "own.yaml"
    file.write_text(text)
    refused(2, file, message, *(word.format(data=data, room=room) for word in command), "--challenge", file)


@pytest.mark.parametrize("attack", JSON)
def test_scores_of_hostile_json(refused, room, attack):
    text, message = JSON[attack]
    for name in ("a.json", "b.json"):
        (room / name).write_text(text)
    refused(2, room / "a.json", message, "rank", room / "a.json", room / "b.json")


@pytest.mark.parametrize(
    ("ending", "attack"), [*(("json", name) for name in JSON), *(("yaml", name) for name in SOME_YAML)]
)
def test_a_bundle_of_hostile_configuration(refused, room, ending, attack):
    text, message = (JSON if ending == "json" else YAML)[attack]
    file = room / "bundle" / "configs" / f"inference.{ending}"
    (room / "bundle" / "models").mkdir(parents=True)
    file.parent.mkdir()
    file.write_text(text)
    words = ["import", "monai-bundle", room / "bundle", "--out", room / "out", "--challenge", "brats2023-gli"]
    refused(5, file, message, *words)


@pytest.mark.parametrize("attack", JSON)
def test_plans_of_hostile_json(refused, room, attack):
    text, message = JSON[attack]
    fold = room / "model" / "fold_0"
    fold.mkdir(parents=True)
    (fold / "checkpoint_final.pth").touch()
    (room / "model" / "plans.json").write_text(text)
    words = ["import", "nnunet", room / "model", "--out", room / "out", "--challenge", "brats2023-gli"]
    refused(5, room / "model" / "plans.json", message, *words)


@pytest.mark.parametrize(
    "name", ["../member", "/etc/passwd", "a\0b", "a\nerror: b", "a\x1b[31mb", "..", "", " a", "a" * 256]
)
def test_a_member_of_a_hostile_name(refused, data, folder, room, name):
    change(folder, lambda content: member_of(content).update(file=name))
    options = ["--data_path", data, "--output_path", room / "out", "--weights", folder]
    refused(5, folder / "submission.yaml", r"members\.0\.file", "infer", *options)


@pytest.mark.parametrize("name", ["../own.yaml", "/etc/own.yaml", "a\0.yaml", "a\x1b[31m", "a\nb"])
def test_a_submission_for_a_challenge_of_a_hostile_name(refused, data, folder, room, name):
    change(folder, lambda content: content.update(challenge=name))
    options = ["--data_path", data, "--output_path", room / "out", "--weights", folder]
    refused(5, folder / "submission.yaml", "'challenge'", "infer", *options)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"submission": "a\0b"}, "'submission'"),
        ({"submission": ""}, "'submission'"),
        ({"challenge": "a\0b"}, "'challenge'"),
        ({"challenge": "../own.yaml"}, "'challenge'"),
        ({"shard": "1" * 5000 + "/2"}, "'shard'"),
        ({"device": "cuda:" + "1" * 5000}, "'device'"),
    ],
    ids=str,
)
def test_parameters_of_hostile_values(refused, data, room, setting, message):
    file = room / "parameters.yaml"
    file.write_text(yaml.safe_dump(setting))
    refused(
        2,
        file,
        message,
        "infer",
        "--data_path",
        data,
        "--output_path",
        room / "out",
        "--parameters_file",
        file,
    )


@pytest.mark.parametrize("shard", ["1" * 5000 + "/2", "1/" + "2" * 5000, "٢/٨", "1/2\n"])
def test_a_hostile_shard(refused, data, weights, room, shard):
    options = ["--data_path", data, "--output_path", room / "out", "--weights", weights]
    refused(2, "", "'shard'", "infer", *options, "--shard", shard)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"made_case": "BraTS-{number:0999999999d}"}, "'made_case'"),
        ({"made_case": "BraTS-{number.__class__}"}, "'made_case'"),
        ({"made_case": "BraTS-{other}"}, "'made_case'"),
        ({"output": "{case:>999999999}.nii.gz"}, "'output'"),
        ({"output": "{case}/{case.__class__}.nii.gz"}, "'output'"),
        ({"output": "../{case}.nii.gz"}, "'output'"),
        ({"case": "(" * 100_000 + ")" * 100_000}, "'case'"),
        ({"case": "a{99999999999999}"}, "'case'"),
        ({"title": "a\x1b[31m\nb"}, "'title'"),
    ],
    ids=[f"{number}" for number in range(9)],
)
def test_a_challenge_of_hostile_values(refused, room, change, message):
    file = room / "own.yaml"
    content = load_challenge("brats2023-gli").model_dump(mode="json")
    file.write_text(yaml.safe_dump(content | change))
    refused(2, file, message, "phantoms", room / "made", "--challenge", file)
