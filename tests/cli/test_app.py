from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.spec.challenges import challenge_keys


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize("arguments", [["--help"], ["infer", "--help"], ["info"], ["--version"]])
def test_help_and_info_do_not_import_slow_packages(arguments):
    code = (
        "import sys\nfrom segcube.cli.app import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
        "print('heavy:', sorted({'torch', 'monai', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.rstrip().endswith("heavy: []")


def test_importing_the_package_does_no_work():
    code = "import sys, segcube; print(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


def test_info_lists_every_challenge():
    output = json.loads(run("info", "--json").stdout)
    assert [challenge["key"] for challenge in output] == list(challenge_keys())


def test_info_describes_a_challenge():
    lines = run("info", "brats2023-gli").stdout.splitlines()
    assert "channel   t1c CASE-t1c.nii.gz" in lines
    assert "region    TC: NCR + ET" in lines
    assert json.loads(run("info", "brats2023-gli", "--json").stdout)["key"] == "brats2023-gli"


def test_info_suggests_similar_keys():
    result = run("info", "mbas")
    assert result.exit_code == 5
    assert "similar keys: mbas2024, mbas2026" in result.stderr


def test_info_describes_a_submission(tumour_submission):
    output = run("info", str(tumour_submission)).stdout
    assert "MedNeXtV10.safetensors" in output
    assert "nest" in output
    assert json.loads(run("info", str(tumour_submission), "--json").stdout)["name"] == "tumour"


def test_an_unknown_key_of_a_submission_is_named_with_the_valid_ones(tumour_submission):
    file = tumour_submission / "submission.yaml"
    file.write_text(file.read_text().replace("postprocess:", "postproces:"))
    result = run("info", str(tumour_submission))
    assert result.exit_code == 5
    assert "'postproces'" in result.stderr
    assert "stages, postprocess" in result.stderr


def test_an_unknown_option_is_a_usage_error():
    assert run("infer", "--nonsense").exit_code == 2


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["infer", "--nonsense"], 2)])
def test_a_process_exits_with_its_commands_code_after_its_exit_handlers(arguments, code):
    script = (
        "import atexit\nfrom segcube.cli import main\n"
        f"atexit.register(print, 'exit handler')\nmain({arguments!r})\nprint('never')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout.endswith("exit handler\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--version",), 0),
        (("infer", "-h"), 0),
        (("info",), 0),
        (("info", "brats2023-gli", "--json"), 0),
        (("check", "input", "EMPTY", "--challenge", "brats2023-gli"), 3),
    ],
)
def test_a_command_whose_output_nobody_reads_ends_with_its_code(tmp_path, words, code):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "segcube.cli", *(str(tmp_path) if w == "EMPTY" else w for w in words)]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (code, "")


def test_environment_variables_mirror_options(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCUBE_SHARD", "9/2")
    result = run("infer", "--data_path", str(tmp_path), "--output_path", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "--shard 9/2" in result.stderr


def test_without_mounts_the_entry_point_lists_the_known_ones():
    script = Path(__file__).parents[2] / "project" / "mlcube.py"
    output = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert output.returncode == 2
    assert "/mlcommons/volumes/data" in output.stderr
    assert "/input" in output.stderr


def complete(line: str) -> list[str]:
    """What bash completes at the end of a line."""
    variables = {"_SEGCUBE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    command = [Path(sys.executable).with_name("segcube")]
    return subprocess.run(command, env=os.environ | variables, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("segcube in", ["infer", "info"]),
        ("segcube check out", ["output"]),
        ("segcube evaluate --ma", ["--maps"]),
        ("segcube picture --challenge brats2021", ["brats2021-gli"]),
    ],
)
def test_a_shell_completes_commands_options_and_challenges(line, completed):
    assert complete(line) == completed
