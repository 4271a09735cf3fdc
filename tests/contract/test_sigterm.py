"""SIGTERM in the middle of a run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import nibabel as nib
import numpy as np


def test_sigterm_leaves_complete_files_and_exits_143(tmp_path, tumour_submission, make_case, glioma):
    for number in range(30):
        make_case(tmp_path / "data", glioma, f"BraTS-GLI-{number:05d}-000", shape=(40, 40, 40), seed=number)
    out, report = tmp_path / "out", tmp_path / "report.json"
    command = [
        sys.executable,
        "-m",
        "segcube.cli",
        "infer",
        "--data_path",
        tmp_path / "data",
        "--output_path",
        out,
    ]
    run = subprocess.Popen(
        [*map(str, command), "--weights", str(tumour_submission), "--device", "cpu", "--report", str(report)],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (out.is_dir() and list(out.iterdir())) and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    _, stderr = run.communicate(timeout=300)
    assert run.returncode == 143, stderr
    assert "Traceback" not in stderr
    written = sorted(out.iterdir())
    assert 0 < len(written) < 30
    for file in written:
        assert np.asarray(nib.load(file).dataobj).shape == (40, 40, 40)
    assert json.loads(report.read_text())["ended"] == "terminated"
