import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.spec.submission import load_for_challenge
from segcube.training.recipes import recipe_names
from segcube.training.run import RunFolder

from ..training.run.small import OVERRIDES, prepared_run, write_data

SETTINGS = [
    f"--set={key}.{name}={value}"
    for key in ("planning", "preprocessing")
    for name, value in OVERRIDES[key].items()
]
PLAN = ["--challenge", "mbas2024", "--recipe", "fast", "--device", "cpu", *SETTINGS]


def segcube(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepared_run(tmp_path_factory.mktemp("prepared"))


def test_one_command_takes_labelled_cases_to_a_submission(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data")
    result = segcube("plan", "data", *PLAN, "--steps", 2, "--split", 2, "-o", "runs/own", "--go")
    assert result.exit_code == 0, result.stderr
    assert "PlainConvUNet, patches of 8 x 16 x 16 voxels of 1 x 1 x 1 mm (z, y, x), batch 2" in result.stdout
    loaded = load_for_challenge(tmp_path / "weights/own")
    assert [member.file for member in loaded.submission.members] == [
        "fold_0.safetensors",
        "fold_1.safetensors",
    ]
    assert "| all | 4 |" in (tmp_path / "weights/own/MODEL_CARD.md").read_text()
    again = segcube("plan", "data", *PLAN, "--steps", 2, "--split", 2, "-o", "runs/own", "--go")
    assert again.exit_code == 0, again.stderr
    assert "holds the submission of this run" in again.stderr
    longer = segcube("plan", "data", *PLAN, "--steps", 3, "--split", 2, "-o", "runs/own", "--go")
    assert longer.exit_code == 2
    assert "weights/own: already exists" in longer.stderr


def test_data_with_errors_end_the_plan(tmp_path):
    data = write_data(tmp_path / "data")
    (data / "MBAS_001_label.nii.gz").write_bytes(b"")
    (data / "MBAS_002_label.nii.gz").unlink()
    result = segcube("plan", data, *PLAN, "-o", tmp_path / "run")
    assert result.exit_code == 2
    missing, empty, last = result.stderr.splitlines()[-3:]
    assert missing.startswith("error LABEL_MISSING: ")
    assert empty.startswith("error EMPTY_FILE: ")
    assert last.startswith(f"error: {data}: 2 errors; ")
    assert "problems.csv" in last


def test_nothing_trained_nothing_validated(prepared):
    result = segcube("validate", prepared.root)
    assert result.exit_code == 5
    assert "segcube train" in result.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    for command in ("prepare", "train", "diagnose", "validate", "collect"):
        out = ["-o", tmp_path / "out"] if command == "collect" else []
        result = segcube(command, tmp_path, *out)
        assert result.exit_code == 2
        assert "no plan.yaml" in result.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 75), (signal.SIGINT, 130)]
)
def test_a_signal_saves_the_state(prepared, tmp_path, number, code):
    run = RunFolder(tmp_path / "run")
    run.root.mkdir()
    for file in prepared.root.iterdir():
        if not file.name.startswith("fold_"):
            (run.root / file.name).symlink_to(file)
    command = [sys.executable, "-m", "segcube", "train", str(run.root), "--fold", "0", "--steps", "1000000"]
    process = subprocess.Popen([*command, "--device", "cpu"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not run.fold(0).log.exists():
        time.sleep(0.05)
    os.kill(process.pid, number)
    _, errors = process.communicate()
    assert process.returncode == code, errors
    assert "the same command continues" in errors
    assert list(run.fold(0).root.glob("state-*.json"))


def test_the_help_names_every_recipe():
    # The help breaks lines after hyphens
    text = " ".join(segcube("plan", "-h").stdout.split()).replace("- ", "-")
    for name in recipe_names():
        assert name in text or name.startswith(("mednext-", "mbas-mednext", "mbas-resenc"))


def test_the_documentation_names_every_recipe():
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    for name in recipe_names():
        assert f"`{name}`" in text or name.startswith("mednext-")
