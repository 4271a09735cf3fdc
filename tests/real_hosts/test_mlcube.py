"""MLCube 0.0.9 itself, on this checkout and on a packed submission."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from segcube.harness.checks import check_output
from segcube.harness.packing import Paper, pack_submission
from segcube.harness.trials import made_subjects
from segcube.hosts import BAKED

from .machine import IMAGE, ROOT

CPU = "-Pplatform.accelerator_count=0"
REAL = ROOT.parent / "shared" / "data"


@pytest.fixture
def checkout(tmp_path, image) -> Path:
    """The checkout's mlcube folder, its image named as the one under test."""
    folder = tmp_path / "checkout" / "mlcube"
    shutil.copytree(ROOT / "mlcube", folder)
    content = yaml.safe_load((folder / "mlcube.yaml").read_text())
    content["docker"] |= {"image": image, "build_context": str(ROOT)}
    (folder / "mlcube.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def test_mlcube_configure_builds_the_image(checkout, mlcube, engine, exercised):
    told = mlcube("configure", f"--mlcube={checkout}", "-Pdocker.build_args.TORCH=cpu")
    assert engine.has(IMAGE), told
    exercised("mlcube configure")


@pytest.mark.parametrize("index", [0, 1], ids=["brats", "mbas"])
def test_mlcube_run_predicts_made_cases(index, checkout, mlcube, exercised, tmp_path):
    subject = made_subjects(BAKED, tmp_path / "cases")[index]
    maps = tmp_path / "maps"
    mlcube(
        "run", f"--mlcube={checkout}", "--task=infer", f"data_path={subject.data}", f"output_path={maps}", CPU
    )
    assert check_output(maps, subject.data, subject.challenge).errors == ()
    exercised(f"mlcube run, {subject.submission}")


@pytest.mark.skipif(not REAL.is_dir(), reason="no real scans on this machine")
@pytest.mark.parametrize(("folder", "challenge"), [("brats", "brats2023-gli"), ("mbas", "mbas2024")])
def test_mlcube_run_predicts_real_cases(folder, challenge, checkout, mlcube, exercised, tmp_path):
    data, maps = tmp_path / "data", tmp_path / "maps"
    shutil.copytree(REAL / folder, data)
    mlcube("run", f"--mlcube={checkout}", "--task=infer", f"data_path={data}", f"output_path={maps}", CPU)
    assert check_output(maps, data, challenge).errors == ()
    exercised(f"mlcube run on real scans, {challenge}")


def test_mlcube_run_takes_a_packed_folder_with_its_weights(image, mlcube, exercised, tmp_path):
    subject = made_subjects(BAKED / "brats-starter", tmp_path / "cases")[0]
    packed = pack_submission(subject.weights, image, tmp_path / "packed", Paper())
    maps = tmp_path / "maps"
    words = ("--task=infer", f"data_path={subject.data}", f"output_path={maps}", CPU)
    mlcube("run", f"--mlcube={packed.folder}", *words)
    assert check_output(maps, subject.data, subject.challenge).errors == ()
    exercised("mlcube run, a packed folder")
