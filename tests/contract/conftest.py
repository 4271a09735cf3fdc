from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segcube.cli.app import app

NAMES = ("BraTS-GLI-00001-000", "BraTS-GLI-00002-000", "BraTS-GLI-00003-000")


@pytest.fixture
def data(tmp_path, make_case, glioma) -> Path:
    for seed, name in enumerate(NAMES):
        make_case(tmp_path / "data", glioma, name, seed=seed)
    return tmp_path / "data"


@pytest.fixture
def infer(tmp_path, data, tumour_submission):
    """Run `segcube infer` over the data folder; returns exit code, output folder, report and stderr."""

    def run(*options: str, out: str = "out"):
        folder, report = tmp_path / out, tmp_path / f"{out}.json"
        arguments = ["infer", "--data_path", data, "--output_path", folder, "--weights", tumour_submission]
        result = CliRunner().invoke(
            app, [*map(str, arguments), "--device", "cpu", "--report", str(report), *options]
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        printed = json.loads(report.read_text()) if report.exists() else None
        return result.exit_code, folder, printed, result.stderr

    return run
