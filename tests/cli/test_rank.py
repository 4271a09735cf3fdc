import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from segcube.cli.app import app


@pytest.fixture
def files(tmp_path):
    """Score files of two submissions on two cases."""
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


def test_submissions_are_ranked_on_the_terminal_and_in_json(files, tmp_path):
    out = tmp_path / "out" / "ranking.json"
    result = CliRunner().invoke(app, ["rank", *files, "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "strong beats weak by 1.000 ranks, p = 0.25" in result.stdout
    assert json.loads(out.read_text())["submissions"]["strong"]["place"] == 1


def test_metrics_can_be_chosen(files, tmp_path):
    out = tmp_path / "ranking.json"
    CliRunner().invoke(app, ["rank", *files, "--metric", "lesionwise_dice", "--json", str(out)])
    assert list(json.loads(out.read_text())["metrics"]) == ["lesionwise_dice"]


def test_one_file_is_usage(files):
    result = CliRunner().invoke(app, ["rank", files[0]])
    assert result.exit_code == 2
    assert "two or more" in result.stderr


def test_what_evaluate_wrote_is_ranked(tmp_path):
    truth_xyz = np.zeros((8, 8, 6), np.uint8)
    truth_xyz[1:4], truth_xyz[4:6], truth_xyz[6:] = 1, 2, 3
    files = []
    for name, shift in (("ref", 0), ("near", 1), ("far", 3)):
        (tmp_path / name).mkdir()
        moved_xyz = np.zeros_like(truth_xyz)
        moved_xyz[shift:] = truth_xyz[: 8 - shift]
        for case in ("MBAS_001", "MBAS_002"):
            nib.save(nib.Nifti1Image(moved_xyz, np.eye(4)), tmp_path / name / f"{case}_label.nii.gz")
        if shift:
            files.append(tmp_path / f"{name}.json")
            arguments = ["--pred", tmp_path / name, "--ref", tmp_path / "ref", "--json", files[-1]]
            arguments += ["--challenge", "mbas2024"]
            assert CliRunner().invoke(app, ["evaluate", *map(str, arguments)]).exit_code == 0
    result = CliRunner().invoke(app, ["rank", *map(str, files)])
    assert result.exit_code == 0, result.output
    assert "near beats far by 1.000 ranks" in result.stdout


def test_names_of_files_neither_forge_lines_nor_style_them(files, tmp_path):
    foreign = "[red]x[:skull: \x1b[31m\nforged \udcff"
    named = tmp_path / f"{foreign}.json"
    Path(files[0]).rename(named)
    content = json.loads(named.read_text().replace("BraTS-GLI-00000-000", "[b]case[:skull: \\n\\u001b"))
    named.write_text(json.dumps(content | {"versions": {foreign[:-1]: "1"}}))
    other = json.loads(
        Path(files[1]).read_text().replace("BraTS-GLI-00000-000", "[b]case[:skull: \\n\\u001b")
    )
    Path(files[1]).write_text(json.dumps(other))
    arguments = ["rank", str(named), files[1], "--json", str(tmp_path / "out.json")]
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, arguments)
    assert result.exit_code == 0, result.output
    shown = r"[red]x[:skull: \x1b[31m\nforged"
    # In the table, as the better one of a pair, and among the versions
    assert result.stdout.count(shown) == 3
    assert r"[b]case[:skull: \n\x1b" in result.stdout
    assert "\x1b" not in result.stdout
    assert not any(line.startswith("forged") for line in result.stdout.splitlines())


def test_a_score_file_is_not_taken_for_the_rankings(files):
    before = Path(files[0]).read_bytes()
    result = CliRunner().invoke(app, ["rank", *files, "--json", files[0]])
    assert result.exit_code == 2
    assert Path(files[0]).read_bytes() == before
