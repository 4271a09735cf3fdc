from __future__ import annotations

import shlex
import shutil

import pytest
import yaml

from segcube.core import ExitCode, resolve_settings
from segcube.inference.folder import Request, run_folder
from segcube.release.check import check_output
from segcube.spec.challenges.catalogue import FOLDER


@pytest.fixture(params=["key", "file"])
def submission(request, tumour_submission):
    """A submission of a challenge's key, and one of a challenge file in its folder."""
    if request.param == "file":
        shutil.copy(FOLDER / "brats2023-gli.yaml", tumour_submission / "own.yaml")
        file = tumour_submission / "submission.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"challenge": "own.yaml"}))
    return tumour_submission


def test_the_next_command_checks_the_maps(tmp_path, caplog, submission, make_case, glioma):
    caplog.set_level("INFO", "segcube")
    data, maps = tmp_path / "data", tmp_path / "maps"
    make_case(data, glioma, "BraTS-GLI-00001-000")
    assert run_folder(Request(data, maps, submission, resolve_settings({"device": "cpu"}))) == ExitCode.DONE
    (line,) = [line for line in caplog.messages if line.startswith("next: ")]
    words = shlex.split(line.removeprefix("next: segcube check output "))
    # The names alone match several challenges
    assert words[:2] == [str(maps), "--data"]
    assert words[3] == "--challenge"
    assert not check_output(maps, data, words[4]).errors
