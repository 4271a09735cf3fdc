from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from segcube.backends import open_backend, selection
from segcube.backends.openvino import INDEX
from segcube.core import EnvironmentFault, RunSettings, UsageError, limit_threads
from segcube.spec.submission import load_for_challenge


def opened(folder, log, **settings):
    return open_backend(RunSettings(device="cpu", **settings), load_for_challenge(folder), log.append)


def test_a_cpu_runs_openvino_where_it_is_installed(tumour_submission, log):
    backend = opened(tumour_submission, log)
    assert (backend.name, backend.device, backend.precision) == ("openvino", "cpu", "fp32")
    assert not log


def test_openvino_computes_with_so_many_threads(tumour_submission, log, member, monkeypatch):
    monkeypatch.setenv("SEGCUBE_KERNELS", "off")
    compiled = opened(tumour_submission, log, threads=1).load(member).compile()
    limit_threads(None)
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_openvino_runs_without_native_kernels(tumour_submission, log, member, monkeypatch):
    window_ncxyz = np.random.default_rng(0).standard_normal((1, 4, 16, 16, 32), np.float32)
    expected = opened(tumour_submission, log).load(member)(window_ncxyz).copy()
    monkeypatch.setenv("SEGCUBE_KERNELS", "off")
    backend = opened(tumour_submission, log)
    assert "native kernels: none (SEGCUBE_KERNELS=off)" in backend.reason
    np.testing.assert_allclose(backend.load(member)(window_ncxyz), expected, atol=1e-4)


def test_an_unknown_build_of_kernels_is_refused_before_the_first_case(tumour_submission, log, monkeypatch):
    monkeypatch.setenv("SEGCUBE_KERNELS", "avx1024")
    with pytest.raises(UsageError, match="avx1024"):
        opened(tumour_submission, log, backend="torch")


def test_torch_runs_where_it_is_asked_for(tumour_submission, log):
    assert opened(tumour_submission, log, backend="torch").name == "torch"


@pytest.mark.parametrize(
    ("settings", "hint"),
    [({"backend": "torch"}, ""), ({"device": "cuda:9"}, "; device cpu runs a compiled submission")],
)
def test_torch_is_named_with_its_extra_where_it_is_not_installed(
    tumour_submission, log, monkeypatch, settings, hint
):
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in ("torch_cpu", "cuda.backend"):
        monkeypatch.delitem(sys.modules, f"segcube.backends.{module}", raising=False)
    settings = RunSettings(**{"device": "cpu", **settings})
    with pytest.raises(EnvironmentFault) as caught:
        open_backend(settings, load_for_challenge(tumour_submission), log.append)
    expected = "torch is not installed; pip install 'segcube[torch]'"
    assert str(caught.value).partition(" without torch")[0] == expected + hint


def test_members_without_graphs_are_compiled_for_the_run_and_that_is_logged(tumour_submission, log, members):
    (tumour_submission / INDEX).unlink()
    backend = opened(tumour_submission, log)
    assert backend.name == "openvino"
    assert "segcube compile" in log[0]
    for member in members(tumour_submission):
        backend.load(member)


def test_nothing_is_left_of_what_was_compiled_for_a_run(tumour_submission, log, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tumour_submission / INDEX).unlink()
    opened(tumour_submission, log)
    assert not list((tmp_path / "scratch").iterdir())


@pytest.fixture
def spoiled(tumour_submission):
    """A submission whose graphs are gone and whose networks cannot be compiled."""
    (tumour_submission / INDEX).unlink()
    for file in tumour_submission.glob("*.safetensors"):
        file.write_bytes(b"spoiled")
    return tumour_submission


def test_torch_replaces_openvino_if_nothing_can_be_compiled(spoiled, log):
    assert opened(spoiled, log).name == "torch"
    assert "on torch instead" in log[-1]


def test_openvino_that_was_asked_for_and_cannot_be_used_ends_the_run(spoiled, log):
    with pytest.raises(EnvironmentFault, match="backend openvino cannot be used"):
        opened(spoiled, log, backend="openvino")


def test_openvino_runs_on_no_gpu(tumour_submission):
    with pytest.raises(UsageError, match="backend openvino on cuda"):
        open_backend(
            RunSettings(device="cuda", backend="openvino"), load_for_challenge(tumour_submission), print
        )


def test_a_run_on_openvino_imports_neither_torch_nor_monai(tumour_submission, tmp_path, make_case, glioma):
    make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    arguments = ["infer", "--data_path", tmp_path / "data", "--output_path", tmp_path / "out"]
    arguments += ["--weights", tumour_submission, "--device", "cpu", "--precision", "bf16"]
    script = """
import sys
from segcube.cli.app import app
app(sys.argv[1:], standalone_mode=False)
assert not {"torch", "monai"} & set(sys.modules)
"""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "out").iterdir())) == 1


COMPILER = shutil.which("gcc")
RECORDER = """
#include <stdio.h>
static void note(const char *what, int number) {
  FILE *file = fopen("%s", "a");
  fprintf(file, "%%s %%d\\n", what, number);
  fclose(file);
}
int cuInit(unsigned flags) { note("init", (int)flags); return FAILS; }
int cuDeviceGet(int *device, int number) { note("device", number); *device = 40 + number; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = 0; note("retain", device); return 0; }
"""


def create_context(device: str) -> None:
    selection.create_cuda_context(device)
    for thread in threading.enumerate():
        if thread.name == "cuda-context":
            thread.join()


@pytest.fixture
def calls(tmp_path: Path, monkeypatch):
    """A driver that records its calls; `fails` is the result of the first."""

    def build(fails: int = 0) -> Path:
        source, library, notes = tmp_path / "driver.c", tmp_path / "driver.so", tmp_path / "notes"
        source.write_text(RECORDER % notes)
        subprocess.run([COMPILER, "-shared", "-fPIC", f"-DFAILS={fails}", source, "-o", library], check=True)
        monkeypatch.setattr(selection, "DRIVER", str(library))
        return notes

    return build


@pytest.mark.skipif(COMPILER is None, reason="no gcc")
@pytest.mark.parametrize(("device", "number"), [("auto", 0), ("cuda", 0), ("cuda:3", 3)])
def test_the_context_of_the_chosen_device_is_created(device, number, calls):
    notes = calls()
    create_context(device)
    assert notes.read_text().splitlines() == ["init 0", f"device {number}", f"retain {40 + number}"]


@pytest.mark.skipif(COMPILER is None, reason="no gcc")
def test_a_driver_that_fails_to_start_gets_no_more_calls(calls):
    notes = calls(fails=100)
    create_context("cuda")
    assert notes.read_text() == "init 0\n"


def test_without_a_driver_nothing_is_printed(monkeypatch, capfd):
    monkeypatch.setattr(selection, "DRIVER", "libnosuchdriver.so")
    create_context("cuda")
    assert capfd.readouterr() == ("", "")
