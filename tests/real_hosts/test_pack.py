"""An image with one submission inside, built as `segcube pack --build` builds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from segcube.release.pack import BuildArguments
from segcube.release.pack.image import build_image, fill_context
from segcube.release.trial.hosts import Launcher, check_hosts
from segcube.release.trial.trial import phantom_workloads
from segcube.spec.hosts import HOSTS

PACKED = "segcube:packed-under-test"


@pytest.fixture
def packed(engine, tumour_submission) -> str:
    """An image with only the submission; its first layers are those of any other image."""
    build_image(engine, PACKED, tumour_submission, BuildArguments("cpu", "https://example.org/team"))
    return PACKED


def test_it_holds_that_submission_and_no_other(engine, packed):
    words = [engine.program, "run", "--rm", "--entrypoint", "find", packed, "/app/weights", "-name", "*.yaml"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(listed) == ["/app/weights/openvino.yaml", "/app/weights/submission.yaml"]


def test_the_dockerfile_alone_leaves_strays_out(engine, tumour_submission, tmp_path):
    """`docker build` by hand copies the whole folder into a stage, and what is shipped into the image."""
    fill_context(tmp_path / "context", tumour_submission, "tumour")
    for name in ("patient.nii.gz", "id_rsa", ".env"):
        (tmp_path / "context" / "weights" / "tumour" / name).write_text("secret")
    options = ["--build-arg", "SUBMISSION=weights/tumour", "--build-arg", "TORCH=cpu"]
    assert engine.build(PACKED, tmp_path / "context", options) == 0
    words = [engine.program, "run", "--rm", "--entrypoint", "find", PACKED, "/app/weights", "-type", "f"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(listed) == sorted(f"/app/weights/{name}" for name in names_in(tumour_submission))


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def test_its_runs_do_not_mention_a_starter(engine, packed, tumour_submission, tmp_path, exercised):
    [workload] = phantom_workloads(tumour_submission, tmp_path)
    [host] = [host for host in HOSTS if host.name == "brats-2025"]
    [outcome] = check_hosts([host], [workload], Launcher(engine, packed))
    assert (outcome.verdict, outcome.why) == ("passed", "")
    exercised("container brats-2025, a packed image")


def test_its_label_names_the_source_url(engine, packed):
    words = [engine.program, "image", "inspect", "--format", "{{json .Config.Labels}}", packed]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert '"org.opencontainers.image.source":"https://example.org/team"' in printed
