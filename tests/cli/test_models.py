import signal
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from segcube.cli.app import app
from segcube.spec.submission import load_for_challenge, read_submission


def run_soup(*arguments):
    return CliRunner().invoke(app, ["soup", *map(str, arguments)])


def test_a_uniform_soup_of_a_submission(tumour_submission, tmp_path):
    result = run_soup("uniform", tumour_submission, "--out", tmp_path / "soup")
    assert result.exit_code == 0, result.output
    assert "the mean of 2 members" in result.output
    assert [member.file for member in load_for_challenge(tmp_path / "soup").submission.members] == [
        "soup.safetensors"
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--metric", "volume_ref"], "unknown metric 'volume_ref'"),
        (["--stage", "heart"], "no stage 'heart'"),
    ],
)
def test_wrong_options_of_a_soup_are_usage_errors(tumour_submission, tmp_path, options, words):
    folders = ["--out", tmp_path / "soup", "--data", tmp_path, "--labels", tmp_path]
    result = run_soup("greedy", tumour_submission, *folders, *options)
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
def test_a_soup_ended_by_a_signal_leaves_no_file(tumour_submission, tmp_path, name, code):
    before = sorted(tmp_path.rglob("*"))
    command = [sys.executable, "-c", INTERRUPTED, signal.Signals[name].value, "soup", "uniform"]
    command += [tumour_submission, "--out", tmp_path / "soup"]
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
    assert ended.stderr == ("interrupted\n" if name == "SIGINT" else "")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def saved(tmp_path, tumour_submission, make_case, glioma):
    """Two cases, predicted with each member's probabilities kept, and true labels for them."""
    for number in (1, 2):
        name = f"BraTS-GLI-0000{number}-000"
        make_case(tmp_path / "data", glioma, name, seed=number)
        image = nib.load(tmp_path / "data" / name / f"{name}-t1c.nii.gz")
        labels_xyz = np.zeros(image.shape, np.uint8)
        labels_xyz[3:9, 3:9, 2:7] = 2
        (tmp_path / "ref").mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(labels_xyz, image.affine), tmp_path / "ref" / f"{name}-seg.nii.gz")
    arguments = ["--data_path", tmp_path / "data", "--output_path", tmp_path / "maps", "--device", "cpu"]
    arguments += ["--weights", tumour_submission, "--save-probabilities", tmp_path / "saved", "--each-member"]
    result = CliRunner().invoke(app, ["infer", *map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    return tmp_path / "saved"


def test_tune_writes_a_valid_postprocess_block(saved, tmp_path, tumour_submission):
    out = tmp_path / "block.yaml"
    arguments = ["--probabilities", saved, "--ref", tmp_path / "ref", "--weights", tumour_submission]
    result = CliRunner().invoke(app, ["tune", *map(str, [*arguments, "--out", out])])
    assert result.exit_code == 0, result.stderr
    assert "fold 2 of 2" in result.stderr
    assert "of an unseen case" in result.stderr
    file = tumour_submission / "submission.yaml"
    block = yaml.safe_load(out.read_text())
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"postprocess": block["postprocess"]}))
    assert len(read_submission(tumour_submission).postprocess) == len(block["postprocess"])


def test_tune_without_label_maps_is_a_usage_error(tmp_path):
    arguments = ["--probabilities", str(tmp_path), "--ref", str(tmp_path), "--challenge", "brats2023-gli"]
    result = CliRunner().invoke(app, ["tune", *arguments])
    assert result.exit_code == 2
    assert "no case to tune on" in result.stderr
