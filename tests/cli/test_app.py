from __future__ import annotations

import json
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
def test_what_only_tells_something_imports_none_of_what_takes_long(arguments):
    code = (
        "import sys\nfrom segcube.cli import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
        "print('heavy:', sorted({'torch', 'monai', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.rstrip().endswith("heavy: []")


def test_importing_the_package_does_no_work():
    code = "import sys, segcube; print(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"


def test_info_lists_every_challenge():
    told = json.loads(run("info", "--json").stdout)
    assert [challenge["key"] for challenge in told] == list(challenge_keys())


def test_info_tells_a_submission(tumour_submission):
    told = run("info", str(tumour_submission)).stdout
    assert "MedNeXtV10.safetensors" in told
    assert "nest" in told
    assert json.loads(run("info", str(tumour_submission), "--json").stdout)["name"] == "tumour"


def test_an_unknown_key_of_a_submission_is_named_with_the_valid_ones(tumour_submission):
    file = tumour_submission / "submission.yaml"
    file.write_text(file.read_text().replace("postprocess:", "postproces:"))
    result = run("info", str(tumour_submission))
    assert result.exit_code == 5
    assert "'postproces'" in result.stderr
    assert "stages, postprocess" in result.stderr


def test_a_wrong_option_is_usage():
    assert run("infer", "--nonsense").exit_code == 2


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["infer", "--nonsense"], 2)])
def test_a_process_ends_with_its_commands_code_and_with_what_was_to_happen_last(arguments, code):
    script = (
        "import atexit\nfrom segcube.cli import main\n"
        f"atexit.register(print, 'the last words')\nmain({arguments!r})\nprint('never')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stdout.endswith("the last words\n")


def test_a_process_whose_reader_is_gone_says_nothing():
    command = f"{sys.executable} -c 'from segcube.cli import main; main([\"--version\"])' | true"
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert told.stderr == ""


def test_environment_variables_mirror_options(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGCUBE_SHARD", "9/2")
    result = run("infer", "--data_path", str(tmp_path), "--output_path", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert "--shard 9/2" in result.stderr


def test_the_entrypoint_explains_itself_where_nothing_is_mounted():
    script = Path(__file__).parents[2] / "project" / "mlcube.py"
    told = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert "/mlcommons/volumes/data" in told.stderr
    assert "/input" in told.stderr
