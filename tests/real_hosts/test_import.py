"""An imported nnU-Net, mounted into the image, which has no nnU-Net installed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.release.trial.hosts import Launcher, check_hosts
from segcube.release.trial.trial import Workload, phantom_workloads
from segcube.spec.hosts import HOSTS

from ..importers.nnunet.conftest import checkpoint, dataset, plans

FOLDS = ("0", "1", "2", "3", "4")


@pytest.fixture
def imported(tmp_path) -> Workload:
    """Five folds as nnU-Net's trainer writes them, imported, with a synthetic case."""
    source = tmp_path / "model"
    source.mkdir()
    (source / "plans.json").write_text(json.dumps(plans()))
    (source / "dataset.json").write_text(json.dumps(dataset()))
    for fold in FOLDS:
        (source / f"fold_{fold}").mkdir()
        torch.save(checkpoint(), source / f"fold_{fold}" / "checkpoint_final.pth")
    words = ["import", "nnunet", str(source), "--out", str(tmp_path / "mine"), "--challenge", "mbas2024"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    [workload] = phantom_workloads(tmp_path / "mine", tmp_path / "cases")
    return workload


@pytest.mark.parametrize("name", ["mlcube-weights", "medperf-0.2-bare"])
def test_five_imported_folds_run_in_the_image(name, engine, image, imported, exercised):
    [host] = [host for host in HOSTS if host.name == name]
    [outcome] = check_hosts([host], [imported], Launcher(engine, image))
    assert (outcome.verdict, outcome.why) == ("passed", "")
    exercised(f"container {name}, five folds of nnU-Net")


def test_the_image_has_no_nnunet(engine, image):
    words = [engine.program, "run", "--rm", "--entrypoint", "python3", image, "-c", "import nnunetv2"]
    assert "No module named 'nnunetv2'" in subprocess.run(words, capture_output=True, text=True).stderr


def test_the_mounted_submission_wins_over_the_baked_one(engine, image, imported, tmp_path):
    words = ["--volume", f"{imported.weights}:/mine:ro", "--volume", f"{imported.data}:/in:ro"]
    maps: Path = tmp_path / "maps"
    maps.mkdir()
    words += ["--volume", f"{maps}:/out", image, "infer", "--data_path=/in", "--output_path=/out"]
    ended = subprocess.run(
        [engine.program, "run", "--rm", *words, "--weights=/mine"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "STARTER" not in ended.stderr
