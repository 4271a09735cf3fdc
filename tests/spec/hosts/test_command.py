from __future__ import annotations

import pytest

from segcube.spec.hosts import DEFAULT_PARAMETERS
from segcube.spec.hosts.command import command_of

DEFAULTS = ["--defaults_file", str(DEFAULT_PARAMETERS)]


def test_mlcube_and_medperf_pass_as_they_are_over_the_images_own_defaults():
    said = [
        "infer",
        "--data_path=/mlcube_io0",
        "--parameters_file=/mlcube_io1/parameters.yaml",
        "--output_path=/mlcube_io2",
    ]
    assert command_of(said) == [*said, *DEFAULTS]


@pytest.mark.parametrize(
    "option", ["--weights", "--checkpoint_dir", "--checkpoint-path", "--additional_files"]
)
def test_a_hosts_weights_option_is_ours(option):
    said = ["infer", "--data_path=/a", "--output_path=/b", f"{option}=/mlcube_io1"]
    assert command_of(said) == [
        "infer",
        "--data_path=/a",
        "--output_path=/b",
        "--weights=/mlcube_io1",
        *DEFAULTS,
    ]


@pytest.mark.parametrize("script", [["predict.py"], ["python3", "/workspace/predict.py"]])
def test_mbas_starts_its_script(script):
    said = [
        *script,
        "--model_pth",
        "./save_pths/test.pth",
        "--gpu",
        "0",
        "--input_dir",
        "/in",
        "--output_dir=/out",
    ]
    assert command_of(said) == ["infer", "--data_path", "/in", "--output_path", "/out", *DEFAULTS]


def test_mbas_has_its_own_folders():
    assert command_of(["predict.py"]) == [
        "infer",
        "--data_path",
        "/input",
        "--output_path",
        "/output",
        *DEFAULTS,
    ]


def test_no_arguments_and_no_mounts_mean_nothing(tmp_path):
    assert command_of([], tmp_path) is None


def test_no_arguments_find_the_mounted_pair(tmp_path):
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    folders = ["--data_path", str(tmp_path / "input"), "--output_path", str(tmp_path / "output")]
    assert command_of([], tmp_path) == ["infer", *folders, *DEFAULTS]


@pytest.mark.parametrize("name", ["parameters_file.yaml", "parameters.yaml"])
def test_medperf_brings_its_parameters_and_weights(tmp_path, name):
    volumes = tmp_path / "mlcommons" / "volumes"
    for folder in ("data", "predictions", "additional_files", "parameters"):
        (volumes / folder).mkdir(parents=True)
    (volumes / "parameters" / name).touch()
    command = command_of([], tmp_path)
    assert command is not None
    assert command[2] == str(volumes / "data")
    assert command[5:9] == [
        "--parameters_file",
        str(volumes / "parameters" / name),
        "--weights",
        str(volumes / "additional_files"),
    ]


def test_other_commands_pass_as_they_are():
    assert command_of(["info", "--json"]) == ["info", "--json"]


def test_the_containers_parameters_are_valid():
    from segcube.core import settings_of

    settings = settings_of(DEFAULT_PARAMETERS, {})
    assert settings.on_error == "empty"


@pytest.mark.parametrize(
    "said",
    [
        ["--input_dir", "/data/site=3", "--output_dir", "/maps/run=7"],
        ["--input_dir=/data/site=3", "--output-dir=/maps/run=7"],
    ],
)
def test_a_folder_of_mbas_may_hold_an_equals_sign(said):
    folders = ["--data_path", "/data/site=3", "--output_path", "/maps/run=7"]
    assert command_of(["predict.py", *said]) == ["infer", *folders, *DEFAULTS]


@pytest.mark.parametrize("folder", ["weights", "checkpoint_dir", "additional-files"])
def test_a_folder_may_have_the_name_of_a_weights_option(folder):
    said = ["infer", "--data_path", folder, "--weights", folder]
    assert command_of(said) == [*said, *DEFAULTS]
