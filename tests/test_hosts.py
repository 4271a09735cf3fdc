from __future__ import annotations

from pathlib import Path

import pytest

from segcube import hosts
from segcube.hosts import Mounts, command_of

PARAMETERS = ["--parameters_file", str(hosts.DEFAULT_PARAMETERS)]


def test_mlcube_and_medperf_pass_as_they_are():
    said = [
        "infer",
        "--data_path=/mlcube_io0",
        "--parameters_file=/mlcube_io1/parameters.yaml",
        "--output_path=/mlcube_io2",
    ]
    assert command_of(said) == said


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
        *PARAMETERS,
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
    assert command_of(said) == ["infer", "--data_path", "/in", "--output_path", "/out", *PARAMETERS]


def test_mbas_has_its_own_folders():
    assert command_of(["predict.py"]) == [
        "infer",
        "--data_path",
        "/input",
        "--output_path",
        "/output",
        *PARAMETERS,
    ]


@pytest.fixture
def mounts(tmp_path, monkeypatch) -> Path:
    """Two known pairs of mounts below tmp_path."""
    pairs = (
        Mounts("new", tmp_path / "data", tmp_path / "maps", (tmp_path / "p.yaml",), tmp_path / "files"),
        Mounts("bare", tmp_path / "input", tmp_path / "output"),
    )
    monkeypatch.setattr(hosts, "BARE_MOUNTS", pairs)
    return tmp_path


@pytest.mark.usefixtures("mounts")
def test_no_arguments_and_no_mounts_mean_nothing():
    assert command_of([]) is None


def test_no_arguments_find_the_mounted_pair(mounts):
    for name in ("input", "output"):
        (mounts / name).mkdir()
    expected = [
        "infer",
        "--data_path",
        str(mounts / "input"),
        "--output_path",
        str(mounts / "output"),
        *PARAMETERS,
    ]
    assert command_of([]) == expected


def test_the_first_pair_brings_its_parameters_and_weights(mounts):
    for name in ("data", "maps", "files", "input", "output"):
        (mounts / name).mkdir()
    (mounts / "p.yaml").touch()
    command = command_of([])
    assert command is not None
    assert command[2] == str(mounts / "data")
    assert command[5:] == ["--parameters_file", str(mounts / "p.yaml"), "--weights", str(mounts / "files")]


def test_other_commands_pass_as_they_are():
    assert command_of(["info", "--json"]) == ["info", "--json"]


def test_the_containers_parameters_are_valid():
    from segcube.settings import settings_of

    settings = settings_of(hosts.DEFAULT_PARAMETERS, {})
    assert settings.on_error == "empty"
