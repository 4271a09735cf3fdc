from __future__ import annotations

import gzip
import json
import os
import zlib

import numpy as np
import pytest
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.core import UsageError
from segcube.release.check import check_output

from .bad_maps import FAULTS, WARNINGS
from .label_maps import BAD, NAMES, Folders, codes, rewrite, write_data, write_valid_maps

KEY = "brats2023-gli"


def test_valid_maps_of_all_cases_pass(maps, data):
    report = check_output(maps, data, KEY)
    assert report.findings == ()
    assert report.exit_code(strict=True) == 0


def test_at_least_fifty_kinds_of_bad_maps_are_checked():
    assert len(FAULTS) >= 50


@pytest.mark.parametrize("fault", FAULTS)
def test_every_kind_of_bad_map_is_reported(maps, data, fault):
    code, named, apply_fault = FAULTS[fault]
    apply_fault(Folders(maps, data))
    report = check_output(maps, data, KEY)
    level = "warning" if code in WARNINGS else "error"
    assert (level, code, maps / named) in {(f.level, str(f.code), f.file) for f in report.findings}
    assert report.exit_code(strict=True) == 3
    for finding in report.findings:
        assert finding.found
        assert finding.expected or finding.hint


def test_a_hint_names_the_edition_of_a_label(maps, data):
    FAULTS["label_4_where_3_is_et"][2](Folders(maps, data))
    (finding,) = check_output(maps, data, KEY).findings
    assert "label 4" in finding.found
    assert "in brats2021-gli ET is 4, not 3" in finding.hint


def test_a_hint_names_the_edition_of_a_label_that_all_maps_lack(tmp_path):
    names = [f"BraTS-GLI-0000{number}-101" for number in (1, 2, 3)]
    write_data(tmp_path / "data", names)
    write_valid_maps(tmp_path / "maps", tmp_path / "data", names, values=(1, 2, 4))
    (finding,) = check_output(tmp_path / "maps", tmp_path / "data", "brats2024-gli").findings
    assert (finding.level, str(finding.code)) == ("warning", "ABSENT_LABEL")
    assert "ET is 4, not 3" in finding.hint


def test_one_file_may_have_many_findings(maps, data):
    def change(labels_xyz):
        labels_xyz = labels_xyz.astype(np.float32) * 2
        labels_xyz[3, 3, 3] = np.nan
        labels_xyz[3, 3, 4] = 0.5
        return labels_xyz

    rewrite(Folders(maps, data), change, srow_z=[0, 0, 1, 40], xyzt_units=1, pixdim=[1, 0, 1, 1, 0, 0, 0, 0])
    (maps / f"{BAD}.nii.gz").chmod(0o600)
    (maps / "notes.txt").write_text("")
    assert {
        *("STRAY", "PERMISSIONS", "FLOAT_TYPE", "NONFINITE", "FRACTIONS", "LABELS", "BAD_SPACING"),
    } <= codes(check_output(maps, data, KEY))
    rewrite(Folders(maps, data), change, srow_z=[0, 0, 1, 40], xyzt_units=1)
    assert {"AFFINE_MISMATCH", "UNITS", "LABELS", "FRACTIONS"} <= codes(check_output(maps, data, KEY))


def test_all_files_are_reported_at_once(maps, data):
    (maps / f"{NAMES[0]}.nii.gz").unlink()
    (maps / f"{NAMES[1]}.nii.gz").write_bytes(b"")
    os.truncate(maps / f"{NAMES[2]}.nii.gz", 60)
    assert codes(check_output(maps, data, KEY)) == {"MISSING_MAP", "EMPTY_FILE", "TRUNCATED"}


def test_a_damaged_file_has_no_other_finding(maps, data):
    rewrite(Folders(maps, data), lambda labels_xyz: labels_xyz.astype(np.float32) + 7)
    content = bytearray((maps / f"{BAD}.nii.gz").read_bytes())
    content[-5] ^= 1
    (maps / f"{BAD}.nii.gz").write_bytes(bytes(content))
    assert codes(check_output(maps, data, KEY)) == {"CORRUPT"}


def test_a_flipped_bit_anywhere_in_a_stream_is_found(maps, data):
    file = maps / f"{BAD}.nii.gz"
    whole = file.read_bytes()
    for position in range(10, len(whole)):
        content = bytearray(whole)
        content[position] ^= 16
        file.write_bytes(bytes(content))
        try:
            # deflate has bits that mean nothing
            same = gzip.decompress(content) == gzip.decompress(whole)
        except (OSError, EOFError, zlib.error):
            same = False
        found = codes(check_output(maps, data, KEY))
        assert not found if same else found & {"CORRUPT", "TRUNCATED"}, position


def test_the_map_of_a_refused_case_is_required_and_checked(maps, data):
    (data / BAD / f"{BAD}-t1n.nii.gz").unlink()
    assert check_output(maps, data, KEY).findings == ()
    (data / NAMES[1] / f"{NAMES[1]}-t1c.nii.gz").unlink()
    assert codes(check_output(maps, data, KEY)) == {"UNCHECKED_GRID"}


def test_a_folder_without_cases_is_an_error(tmp_path):
    for name in ("data", "maps"):
        (tmp_path / name).mkdir()
    assert codes(check_output(tmp_path / "maps", tmp_path / "data", KEY)) == {"NO_CASE"}


def test_a_missing_folder_is_a_usage_error(tmp_path, data):
    with pytest.raises(UsageError, match="no such folder"):
        check_output(tmp_path / "none", data, KEY)


def test_names_that_fit_several_challenges_list_their_keys(maps, data):
    with pytest.raises(UsageError, match=r"brats2023-gli.*brats2025-gli"):
        check_output(maps, data)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_map_of_root_in_a_folder_of_another_user_is_a_warning(tmp_path, maps, data):
    assert "ROOT_OWNED" not in codes(check_output(maps, data, KEY))
    os.chown(tmp_path, 1234, 1234)
    report = check_output(maps, data, KEY)
    os.chown(tmp_path, 0, 0)
    assert [str(finding.code) for finding in report.findings] == ["ROOT_OWNED"] * 4
    assert report.exit_code() == 0


def test_the_command_prints_findings_and_exits_3(maps, data):
    FAULTS["a_file_is_truncated"][2](Folders(maps, data))
    arguments = ["check", "output", str(maps), "--data", str(data), "--challenge", KEY]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 3
    assert "error TRUNCATED" in result.stdout
    assert "failed: 1 error, 0 warnings" in result.stdout
    printed = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert printed["exit_code"] == 3
    assert [entry["code"] for entry in printed["findings"]] == ["TRUNCATED"]


def test_warnings_count_if_strict(maps, data):
    FAULTS["a_map_has_only_background"][2](Folders(maps, data))
    arguments = ["check", "output", str(maps), "--data", str(data), "--challenge", KEY]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert CliRunner().invoke(app, [*arguments, "--strict"]).exit_code == 3
