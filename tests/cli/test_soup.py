import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.spec.submission import load_for


def run(*arguments):
    return CliRunner().invoke(app, ["soup", *map(str, arguments)])


def test_a_uniform_soup_of_a_submission(tumour_submission, tmp_path):
    result = run("uniform", tumour_submission, "--out", tmp_path / "soup")
    assert result.exit_code == 0, result.output
    assert "the mean of 2 members" in result.output
    assert [member.file for member in load_for(tmp_path / "soup").submission.members] == ["soup.safetensors"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--metric", "volume_ref"], "'volume_ref' has no better direction"),
        (["--stage", "heart"], "no stage 'heart'"),
    ],
)
def test_what_makes_no_sense_is_usage(tumour_submission, tmp_path, options, words):
    folders = ["--out", tmp_path / "soup", "--data", tmp_path, "--labels", tmp_path]
    result = run("greedy", tumour_submission, *folders, *options)
    assert result.exit_code == 2
    assert words in result.output


INTERRUPTED = """
import os, sys
from segcube.cli import main

number, arguments = int(sys.argv[1]), sys.argv[2:]

def signal_on_the_first_written_file(event, values):
    if event == "open" and ".segcube-" in str(values[0]) and not sent:
        sent.append(event)
        os.kill(os.getpid(), number)

sent = []
sys.addaudithook(signal_on_the_first_written_file)
main(arguments)
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_soup_that_a_signal_ends_leaves_nothing(tumour_submission, tmp_path, name, code):
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-c", INTERRUPTED, signal.Signals[name].value, "soup", "uniform"]
    command += [tumour_submission, "--out", tmp_path / "soup"]
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr == ("interrupted\n" if name == "SIGINT" else "")
    assert sorted(tmp_path.rglob("*")) == before
