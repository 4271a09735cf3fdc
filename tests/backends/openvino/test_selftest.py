from __future__ import annotations

import subprocess
import sys

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
