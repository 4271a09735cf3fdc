from __future__ import annotations

import subprocess
import sys

import pytest

from segcube.backends.openvino import INDEX, compile_if_possible
from segcube.spec.submission import load_for_challenge


@pytest.fixture
def uncompiled(tumour_submission):
    for file in [*tumour_submission.glob("*.openvino"), tumour_submission / INDEX]:
        file.unlink()
    return load_for_challenge(tumour_submission)


def test_a_submission_is_compiled_beside_its_weights(uncompiled, log):
    compile_if_possible(uncompiled, log.append)
    assert (uncompiled.folder / INDEX).is_file()
    assert all(line.startswith("compiling ") for line in log)


def test_without_openvino_nothing_is_compiled_which_is_logged(uncompiled, log, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "segcube.backends.openvino.compiling", raising=False)
    compile_if_possible(uncompiled, log.append)
    assert not (uncompiled.folder / INDEX).exists()
    assert log == ["not compiled, so that torch runs it on a CPU: openvino is not installed"]


HOSTILE = ("json", "numpy", "openvino", "random", "segcube", "sitecustomize", "torch", "typer", "yaml")


def test_a_run_that_compiles_imports_nothing_from_the_current_folder(
    tumour_submission, tmp_path, make_case, glioma
):
    make_case(tmp_path / "data", glioma, "BraTS-GLI-00001-000")
    for file in [tumour_submission / "openvino.yaml", *tumour_submission.glob("*.openvino")]:
        file.unlink()
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in HOSTILE:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'a').write({name!r})")
    options = ["--data_path", tmp_path / "data", "--output_path", tmp_path / "out"]
    options += ["--weights", tumour_submission, "--device", "cpu"]
    command = [sys.executable, "-P", "-m", "segcube.cli", "infer", *map(str, options)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert not (tmp_path / "imported").exists()
    assert "compiling for this run alone" in ended.stderr
    assert "; openvino " in ended.stderr
