import json

import pytest
from typer.testing import CliRunner

from segcube.cli.app import app

from ..training.run.small import planned_run

SETTINGS = [
    "--set=spacing=[2,2,2]",
    "--set=network.channels=[4,4]",
    "--set=network.attention=[false,false]",
    "--set=network.groups=2",
    "--set=network.head_channels=2",
    "--set=process.sampling_steps=2",
]


def segcube(*arguments):
    return CliRunner().invoke(app, ["synthesize", *map(str, arguments)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return planned_run(tmp_path_factory.mktemp("run"))


def test_a_run_s_cases_become_samples_and_a_report(run, tmp_path):
    train = ("train", run.root, "--fold", 0, "--recipe", "toy", *SETTINGS, "--device", "cpu")
    result = segcube(*train, "--steps", 2, "-o", tmp_path / "m")
    assert result.exit_code == 0, result.stderr
    assert "images of 12 x 10 x 8 voxels of 2 x 2 x 2 mm, 2 steps in fp32 on cpu" in result.stderr
    result = segcube("sample", tmp_path / "m", "-o", tmp_path / "s", "--count", 2, "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.split() == ["MBAS_005", "MBAS_006"]
    report = tmp_path / "r.json"
    result = segcube("report", tmp_path / "s", "--model", tmp_path / "m", "--report", report)
    assert result.exit_code == 0, result.stderr
    assert "2 scans, 2 samples" in result.stdout
    assert "samples that repeat a training case:" in result.stdout
    assert set(json.loads(report.read_text())["nearest"]) == {"MBAS_005", "MBAS_006"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lora", "up_blocks.*"], "--lora without --init; expected a model to adapt: --init MODEL"),
        (["--fold", "7"], "fold 7"),
        (["--set", "steps=0"], "steps"),
        (["--recipe", "gan"], "no recipe 'gan'; expected one of flow, med-ddpm, toy"),
        (["--init", "nowhere"], "nowhere: no model.yaml; expected the folder of a model"),
    ],
)
def test_what_does_not_fit_is_named(run, tmp_path, words, message):
    usual = ("--fold", 0, "--recipe", "toy", *SETTINGS, "-o", tmp_path / "m")
    result = segcube("train", run.root, *usual, *words)
    assert result.exit_code == 2
    assert message in result.stderr
