import json
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


def evaluate(folders, *options):
    arguments = ["--pred", folders[0], "--ref", folders[1], "--challenge", "brats2023-gli", *options]
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--workers", "1"])


@pytest.mark.parametrize(("damaged", "code"), [(0, 0), (1, 3), (2, 4)])
def test_a_damaged_reference_is_an_error_of_the_reference(folders, damaged, code):
    for name in NAMES[:damaged]:
        (folders[1] / f"{name}.nii.gz").write_bytes(b"")
    result = evaluate(folders)
    assert result.exit_code == code
    assert result.stderr.count("its reference cannot be read") == damaged
    assert ("lesionwise_dice" in result.stdout) is (damaged < 2)
    assert "scored as missing" not in result.stderr


def test_a_missing_map_does_not_change_the_exit_code(folders):
    (folders[0] / f"{NAMES[0]}.nii.gz").unlink()
    result = evaluate(folders)
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


@pytest.fixture
def score_files(tmp_path):
    """Score score_files of two submissions on two cases."""
    paths = []
    for name, values in {"strong": [0.9, 0.8], "weak": [0.5, 0.7]}.items():
        cases = {
            f"BraTS-GLI-0000{index}-000": {
                "WT": {"lesionwise_dice": value, "lesionwise_hd95": 10 * (1 - value)}
            }
            for index, value in enumerate(values)
        }
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps({"profile": "brats2023", "challenge": "brats2023-gli", "cases": cases}))
        paths.append(str(file))
    return paths


def test_submissions_are_ranked_on_the_terminal_and_in_json(score_files, tmp_path):
    out = tmp_path / "out" / "ranking.json"
    result = CliRunner().invoke(app, ["rank", *score_files, "--scores", str(out)])
    assert result.exit_code == 0, result.output
    assert "strong beats weak by 1.000 ranks, p = 0.25" in result.stdout
    assert json.loads(out.read_text())["submissions"]["strong"]["place"] == 1


def test_metrics_can_be_chosen(score_files, tmp_path):
    out = tmp_path / "ranking.json"
    CliRunner().invoke(app, ["rank", *score_files, "--metric", "lesionwise_dice", "--scores", str(out)])
    assert list(json.loads(out.read_text())["metrics"]) == ["lesionwise_dice"]


def test_one_score_file_is_a_usage_error(score_files):
    result = CliRunner().invoke(app, ["rank", score_files[0]])
    assert result.exit_code == 2
    assert "two or more" in result.stderr


def test_score_files_of_evaluate_can_be_ranked(tmp_path):
    truth_xyz = np.zeros((8, 8, 6), np.uint8)
    truth_xyz[1:4], truth_xyz[4:6], truth_xyz[6:] = 1, 2, 3
    score_files = []
    for name, shift in (("ref", 0), ("near", 1), ("far", 3)):
        (tmp_path / name).mkdir()
        moved_xyz = np.zeros_like(truth_xyz)
        moved_xyz[shift:] = truth_xyz[: 8 - shift]
        for case in ("MBAS_001", "MBAS_002"):
            nib.save(nib.Nifti1Image(moved_xyz, np.eye(4)), tmp_path / name / f"{case}_label.nii.gz")
        if shift:
            score_files.append(tmp_path / f"{name}.json")
            arguments = ["--pred", tmp_path / name, "--ref", tmp_path / "ref", "--scores", score_files[-1]]
            arguments += ["--challenge", "mbas2024"]
            assert CliRunner().invoke(app, ["evaluate", *map(str, arguments)]).exit_code == 0
    result = CliRunner().invoke(app, ["rank", *map(str, score_files)])
    assert result.exit_code == 0, result.output
    assert "near beats far by 1.000 ranks" in result.stdout


def test_file_names_cannot_add_lines_or_styles_to_the_output(score_files, tmp_path):
    foreign = "[red]x[:skull: \x1b[31m\nforged \udcff"
    named = tmp_path / f"{foreign}.json"
    Path(score_files[0]).rename(named)
    content = json.loads(named.read_text().replace("BraTS-GLI-00000-000", "[b]case[:skull: \\n\\u001b"))
    named.write_text(json.dumps(content | {"versions": {foreign[:-1]: "1"}}))
    other = json.loads(
        Path(score_files[1]).read_text().replace("BraTS-GLI-00000-000", "[b]case[:skull: \\n\\u001b")
    )
    Path(score_files[1]).write_text(json.dumps(other))
    arguments = ["rank", str(named), score_files[1], "--json", str(tmp_path / "out.json")]
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, arguments)
    assert result.exit_code == 0, result.output
    shown = r"[red]x[:skull: \x1b[31m\nforged"
    # In the table, as the better one of a pair, and among the versions
    assert result.stdout.count(shown) == 3
    assert r"[b]case[:skull: \n\x1b" in result.stdout
    assert "\x1b" not in result.stdout
    assert not any(line.startswith("forged") for line in result.stdout.splitlines())


def test_the_ranking_does_not_overwrite_a_score_file(score_files):
    before = Path(score_files[0]).read_bytes()
    result = CliRunner().invoke(app, ["rank", *score_files, "--scores", score_files[0]])
    assert result.exit_code == 2
    assert Path(score_files[0]).read_bytes() == before
