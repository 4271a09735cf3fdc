"""Commands where neither torch nor MONAI is installed."""

from __future__ import annotations

import shutil

import pytest

from segcube.backends.openvino import INDEX

MISSING = ["torch", "monai", "dynamic_network_architectures", "einops"]
GLIOMA = ("--challenge", "brats2023-gli")


@pytest.fixture
def run(run_after):
    return run_after(f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}))")


def test_cases_are_predicted_checked_scored_and_drawn(run, succeed, cases, tumour_submission, tmp_path):
    data, maps = cases / "data", tmp_path / "maps"
    succeed(
        run,
        ("info", tumour_submission),
        ("check", "input", data, *GLIOMA),
        ("infer", "--data_path", data, "--output_path", maps, "--weights", tumour_submission),
        ("check", "output", maps, "--data", data, *GLIOMA),
        ("evaluate", "--pred", maps, "--ref", cases / "labels", *GLIOMA, "--json", tmp_path / "a.json"),
        ("picture", "--data", data, "--maps", maps, *GLIOMA, tmp_path / "pictures"),
    )
    shutil.copy(tmp_path / "a.json", tmp_path / "b.json")
    succeed(run, ("rank", tmp_path / "a.json", tmp_path / "b.json"))


def test_a_submission_is_checked_up_to_what_needs_torch(run, succeed, tumour_submission):
    output = succeed(run, ("check", "submission", tumour_submission))
    assert "not checked without torch" in output
    assert "dry run: " in output


def test_damaged_weights_are_found(run, tumour_submission):
    file = min(tumour_submission.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-9])
    ended = run("check", "submission", tumour_submission)
    assert ended.returncode == 3
    assert "error WEIGHTS" in ended.stdout


def test_hosts_are_tried(run, succeed, cases, tumour_submission):
    of_case = ("--weights", tumour_submission, "--data", cases / "data")
    succeed(run, ("check", "hosts", "--process", "--host", "medperf-0.2-bare", *of_case))


TORCH = "torch is not installed; pip install 'segcube[torch]'"
COMPILED = f"{TORCH}; a CPU runs a submission without torch once `segcube compile` compiled it"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compile",), TORCH),
        (("check", "submission"), COMPILED),
        (("soup", "uniform", "--out", "soup"), TORCH),
        (("infer", "--data_path", "data", "--output_path", "maps", "--weights"), COMPILED),
    ],
)
def test_what_needs_torch_names_the_extra(run, cases, tumour_submission, tmp_path, words, message):
    (tmp_path / "data").symlink_to(cases / "data")
    (tumour_submission / INDEX).unlink()
    ended = run(*words, tumour_submission)
    assert ended.returncode == 5, ended.stdout + ended.stderr
    assert ended.stderr.splitlines()[-1] == f"error: {message}"
