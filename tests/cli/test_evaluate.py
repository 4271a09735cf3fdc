import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from segcube.cli.app import app

NAMES = ("BraTS-GLI-00001-000", "BraTS-GLI-00002-000")


@pytest.fixture
def folders(tmp_path):
    """Two cases with a perfect map each: folders of the maps and of the references."""
    labels_xyz = np.zeros((8, 8, 8), np.uint8)
    labels_xyz[2:6, 2:6, 2:6] = 3
    for folder in ("pred", "ref"):
        (tmp_path / folder).mkdir()
        for name in NAMES:
            nib.save(nib.Nifti1Image(labels_xyz, np.eye(4)), tmp_path / folder / f"{name}.nii.gz")
    return tmp_path / "pred", tmp_path / "ref"


def run(folders, *options):
    arguments = ["--pred", folders[0], "--ref", folders[1], "--challenge", "brats2023-gli", *options]
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--workers", "1"])


@pytest.mark.parametrize(("damaged", "code"), [(0, 0), (1, 3), (2, 4)])
def test_a_damaged_reference_is_an_error_of_the_reference(folders, damaged, code):
    for name in NAMES[:damaged]:
        (folders[1] / f"{name}.nii.gz").write_bytes(b"")
    result = run(folders)
    assert result.exit_code == code
    assert result.stderr.count("its reference cannot be read") == damaged
    assert ("lesionwise_dice" in result.stdout) is (damaged < 2)
    assert "scored as missing" not in result.stderr


def test_a_missing_map_is_no_error_of_the_command(folders):
    (folders[0] / f"{NAMES[0]}.nii.gz").unlink()
    result = run(folders)
    assert result.exit_code == 0
    assert f"{NAMES[0]}: scored as missing: no label map" in result.stderr


@pytest.mark.parametrize(
    "command",
    [[Path(sys.executable).with_name("segcube")], [sys.executable, "-P", "-m", "segcube.cli"]],
    ids=["segcube", "python -P -m"],
)
def test_python_files_in_the_working_folder_are_not_run(folders, tmp_path, command):
    place = tmp_path / "place"
    place.mkdir()
    for name in ("random", "signal", "selectors", "socket", "numpy", "nibabel", "segcube", "typer"):
        (place / f"{name}.py").write_text(f"import pathlib; pathlib.Path('ran-{name}').touch()\n")
    arguments = ["evaluate", "--pred", folders[0], "--ref", folders[1], "--challenge", "brats2023-gli"]
    ended = subprocess.run(
        [str(part) for part in [*command, *arguments, "--workers", "2"]],
        cwd=place,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert list(place.glob("ran-*")) == []
