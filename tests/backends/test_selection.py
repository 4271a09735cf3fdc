from __future__ import annotations

import subprocess
import sys

import pytest

from segcube.backends import open_backend
from segcube.backends.openvino import INDEX
from segcube.core import EnvironmentFault, RunSettings, UsageError
from segcube.spec.submission import load_for


def opened(folder, told, **settings):
    return open_backend(RunSettings(device="cpu", **settings), load_for(folder), told.append)


def test_a_cpu_runs_openvino_where_it_is_installed(tumour_submission, told):
    backend = opened(tumour_submission, told)
    assert (backend.name, backend.device, backend.precision) == ("openvino", "cpu", "fp32")
    assert not told


def test_torch_runs_where_it_is_asked_for(tumour_submission, told):
    assert opened(tumour_submission, told, backend="torch").name == "torch"


def test_members_without_graphs_are_compiled_for_the_run_and_that_is_said(tumour_submission, told, members):
    (tumour_submission / INDEX).unlink()
    backend = opened(tumour_submission, told)
    assert backend.name == "openvino"
    assert "segcube compile" in told[0]
    for member in members(tumour_submission):
        backend.load(member)


def test_nothing_is_left_of_what_was_compiled_for_a_run(tumour_submission, told, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tumour_submission / INDEX).unlink()
    opened(tumour_submission, told)
    assert not list((tmp_path / "scratch").iterdir())


@pytest.fixture
def spoiled(tumour_submission):
    """A submission whose graphs are gone and whose networks nobody can compile."""
    (tumour_submission / INDEX).unlink()
    for file in tumour_submission.glob("*.safetensors"):
        file.write_bytes(b"spoiled")
    return tumour_submission


def test_torch_stands_in_where_nothing_can_be_compiled(spoiled, told):
    assert opened(spoiled, told).name == "torch"
    assert "on torch instead" in told[-1]


def test_openvino_that_was_asked_for_and_cannot_be_used_ends_the_run(spoiled, told):
    with pytest.raises(EnvironmentFault, match="backend openvino cannot be used"):
        opened(spoiled, told, backend="openvino")


def test_openvino_runs_on_no_gpu(tumour_submission):
    with pytest.raises(UsageError, match="backend openvino on cuda"):
        open_backend(RunSettings(device="cuda", backend="openvino"), load_for(tumour_submission), print)


def test_a_run_on_openvino_imports_neither_torch_nor_monai(tumour_submission, tmp_path, make_case, glioma):
    make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    arguments = ["infer", "--data_path", tmp_path / "data", "--output_path", tmp_path / "out"]
    arguments += ["--weights", tumour_submission, "--device", "cpu", "--precision", "bf16"]
    script = """
import sys
from segcube.cli import app
app(sys.argv[1:], standalone_mode=False)
assert not {"torch", "monai"} & set(sys.modules)
"""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1
