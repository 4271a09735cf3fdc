from __future__ import annotations

import pytest

from segcube.core import load_settings
from segcube.spec.hosts import DEFAULT_PARAMETERS
from segcube.spec.hosts.command import segcube_command

DEFAULTS = ["--defaults_file", str(DEFAULT_PARAMETERS)]


def test_arguments_of_mlcube_and_medperf_are_kept():
    arguments = [
        "infer",
        "--data_path=/mlcube_io0",
        "--parameters_file=/mlcube_io1/parameters.yaml",
        "--output_path=/mlcube_io2",
    ]
    assert segcube_command(arguments) == [*arguments, *DEFAULTS]


def test_weights_options_of_hosts_become_weights():
    folders = ["infer", "--data_path=/a", "--output_path=/b"]
    for option in ("--weights", "--checkpoint_dir", "--checkpoint-path", "--additional_files"):
        command = segcube_command([*folders, f"{option}=/mlcube_io1"])
        assert command == [*folders, "--weights=/mlcube_io1", *DEFAULTS]


@pytest.mark.parametrize("script", [["predict.py"], ["python3", "/workspace/predict.py"]])
def test_the_script_of_mbas_becomes_infer(script):
    arguments = [
        *script,
        "--model_pth",
        "./save_pths/test.pth",
        "--gpu",
        "0",
        "--input_dir",
        "/in",
        "--output_dir=/out",
    ]
    assert segcube_command(arguments) == ["infer", "--data_path", "/in", "--output_path", "/out", *DEFAULTS]


def test_mbas_has_default_folders():
    assert segcube_command(["predict.py"]) == [
        "infer",
        "--data_path",
        "/input",
        "--output_path",
        "/output",
        *DEFAULTS,
    ]


def test_without_arguments_and_mounts_there_is_no_command(tmp_path):
    assert segcube_command([], tmp_path) is None


def test_without_arguments_the_mounted_folders_are_used(tmp_path):
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    folders = ["--data_path", str(tmp_path / "input"), "--output_path", str(tmp_path / "output")]
    assert segcube_command([], tmp_path) == ["infer", *folders, *DEFAULTS]


@pytest.mark.parametrize("name", ["parameters_file.yaml", "parameters.yaml"])
def test_parameters_and_weights_of_medperf_are_used(tmp_path, name):
    volumes = tmp_path / "mlcommons" / "volumes"
    for folder in ("data", "predictions", "additional_files", "parameters"):
        (volumes / folder).mkdir(parents=True)
    (volumes / "parameters" / name).touch()
    command = segcube_command([], tmp_path)
    assert command is not None
    assert command[2] == str(volumes / "data")
    assert command[5:9] == [
        "--parameters_file",
        str(volumes / "parameters" / name),
        "--weights",
        str(volumes / "additional_files"),
    ]


def test_other_commands_are_kept():
    assert segcube_command(["info", "--json"]) == ["info", "--json"]


def test_the_containers_parameters_are_valid():
    settings = load_settings(DEFAULT_PARAMETERS, {})
    assert settings.on_error == "empty"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input_dir", "/data/site=3", "--output_dir", "/maps/run=7"],
        ["--input_dir=/data/site=3", "--output-dir=/maps/run=7"],
    ],
)
def test_a_folder_of_mbas_can_contain_an_equals_sign(arguments):
    folders = ["--data_path", "/data/site=3", "--output_path", "/maps/run=7"]
    assert segcube_command(["predict.py", *arguments]) == ["infer", *folders, *DEFAULTS]


def test_a_folder_can_have_the_name_of_a_weights_option():
    arguments = ["infer", "--data_path", "weights", "--weights", "additional-files"]
    assert segcube_command(arguments) == [*arguments, *DEFAULTS]
