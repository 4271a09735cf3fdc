from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.core import UsageError
from segcube.release.check import CheckReport, check_input
from segcube.release.check.input import find_challenge

from .label_maps import AFFINE, BAD, NAMES, write_data, write_image


def test_a_named_challenge_is_loaded(tmp_path):
    assert find_challenge(tmp_path / "none", "mbas2024").key == "mbas2024"


def test_file_names_determine_the_challenge(tmp_path):
    write_image(tmp_path / "a" / "b" / "MBAS_001_gt.nii.gz", 0)
    assert find_challenge(tmp_path, None).key == "mbas2024"


def test_several_challenges_that_fit_are_listed(tmp_path):
    write_data(tmp_path, NAMES[:1])
    with pytest.raises(UsageError, match="brats2023-gli, brats2025-gli"):
        find_challenge(tmp_path, None)


def test_a_missing_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        find_challenge(tmp_path / "none", None)


KEY = "brats2023-ssa"
SSA = tuple(name.replace("GLI", "SSA") for name in NAMES[:2])


@pytest.fixture
def data(tmp_path) -> Path:
    write_data(tmp_path / "data", NAMES[:2])
    return tmp_path / "data"


def channel(data: Path, name: str, case: str = BAD) -> Path:
    return data / case / f"{case}-{name}.nii.gz"


def errors(report: CheckReport) -> list[tuple[str, str]]:
    return [(str(finding.code), finding.file.name) for finding in report.errors]


def test_valid_cases_have_no_errors(data):
    report = check_input(data, "brats2023-gli")
    assert report.errors == ()
    # Tiny grids are no grids of the challenge
    assert {str(finding.code) for finding in report.warnings} == {"GEOMETRY"}


def test_every_bad_file_of_a_case_is_reported(data):
    os.truncate(channel(data, "t2w"), 60)
    channel(data, "t2f").write_bytes(b"")
    write_image(channel(data, "t1n"), 0, AFFINE, (13, 12, 10))
    shutil.copy(channel(data, "t1n"), channel(data, "t2f", NAMES[1]))
    assert errors(check_input(data, "brats2023-gli")) == [
        ("SHAPE_MISMATCH", f"{BAD}-t1n.nii.gz"),
        ("EMPTY_FILE", f"{BAD}-t2f.nii.gz"),
        ("TRUNCATED", f"{BAD}-t2w.nii.gz"),
        ("SHAPE_MISMATCH", f"{NAMES[1]}-t2f.nii.gz"),
    ]


def test_the_other_channels_are_read_when_the_reference_is_bad(data):
    channel(data, "t1c").write_bytes(b"")
    os.truncate(channel(data, "t2w"), 60)
    found = errors(check_input(data, "brats2023-gli"))
    assert found == [("EMPTY_FILE", f"{BAD}-t1c.nii.gz"), ("TRUNCATED", f"{BAD}-t2w.nii.gz")]


def test_the_channels_of_an_incomplete_case_are_read(data):
    channel(data, "t1n").unlink()
    channel(data, "t2w").write_bytes(b"")
    found = errors(check_input(data, "brats2023-gli"))
    assert found == [("MISSING_MODALITY", BAD), ("EMPTY_FILE", f"{BAD}-t2w.nii.gz")]


def test_odd_values_and_ignored_files_are_warnings(data):
    nib.save(nib.Nifti1Image(np.full((14, 12, 10), 7, np.int16), AFFINE), channel(data, "t2w"))
    (data / "notes.txt").write_text("")
    report = check_input(data, "brats2023-gli")
    assert report.errors == ()
    assert {"CONSTANT", "IGNORED"} <= {str(finding.code) for finding in report.warnings}
    assert any("notes.txt" in finding.found for finding in report.warnings)


def test_names_of_another_challenge_are_no_case(tmp_path):
    write_data(tmp_path / "data", ("BraTS2021_00001",))
    (tmp_path / "data" / "MBAS_001_gt.nii.gz").write_bytes(b"x")
    (finding,) = check_input(tmp_path / "data", KEY).errors
    assert str(finding.code) == "NO_CASE"
    assert "BraTS-SSA" in finding.expected


def test_file_names_determine_the_challenge_of_a_check(tmp_path):
    write_data(tmp_path / "data", ("BraTS-SSA-00001-000",))
    assert check_input(tmp_path / "data", "brats2024-ssa").challenge == "brats2024-ssa"
    write_image(tmp_path / "rt" / "BraTS-MEN-RT-0001-1" / "BraTS-MEN-RT-0001-1_t1c.nii.gz", 0)
    result = CliRunner().invoke(app, ["check", "input", str(tmp_path / "rt")])
    assert result.exit_code == 2
    assert "brats2024-men-rt, brats2025-men-rt" in result.stderr


def test_findings_are_printed_file_by_file(data):
    channel(data, "t1c").write_bytes(b"")
    result = CliRunner().invoke(app, ["check", "input", str(data), "--challenge", "brats2023-gli"])
    assert result.exit_code == 3
    assert f"\n{BAD}/{BAD}-t1c.nii.gz\n  error EMPTY_FILE  " in result.stdout


def test_checks_of_folders_do_not_import_torch(data):
    code = (
        "import sys\nfrom segcube.cli.app import app\n"
        "def run(*arguments):\n"
        "    try:\n        app(['check', *arguments, '--challenge', 'brats2023-gli'])\n"
        "    except SystemExit:\n        pass\n"
        f"run('input', {str(data)!r})\nrun('output', {str(data)!r}, '--data', {str(data)!r})\n"
        "print('heavy:', sorted({'torch', 'monai', 'matplotlib'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.rstrip().endswith("heavy: []")
